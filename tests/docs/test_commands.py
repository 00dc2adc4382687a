"""Every `flexoraa` command that the documents show is done, page by page in their order, on one copy of the demo.

Words in capitals are filled in with what the demo holds. What takes long, or a vendor, is named with the test that does it.
"""

import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestration import cli
from orchestration.resources.engines import ask
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from tests.shared_demo import ROOT, copied, shared_demo

PAGES = ["README.md", "docs/quick-start.md", "docs/how-to.md", "docs/concepts.md", "docs/runbook.md", "SECURITY.md"]
ELSEWHERE = {
    "run": "test_a_second_run_over_a_compacted_lake_changes_no_mart_and_sends_nothing",
    "run --full-refresh": "test_increments_over_thirty_days_equal_one_full_refresh",
    "run --engine": "test_each_engine_builds_the_same_marts_and_the_home_keeps_to_the_last",
    "run --known-at": "test_identity_knows_what_was_received_by_then_to_the_microsecond",
    "run --dry-run": "test_a_dry_run_decides_and_gates_and_nothing_leaves",
    "up": "test_up_takes_in_what_is_dropped_restarts_its_collector_and_leaves_nothing_behind",
    "collect": "test_sigterm_answers_what_it_has_and_closes_the_segment",
    "simulate": "test_simulate_and_apply_answer_scripts_in_json",
    "replay": "test_every_dialogue_message_and_donation_arrives_once",
    "pull": "test_the_command_tells_a_person_in_lines_and_a_script_in_json",
    "backup": "test_all_rows_files_people_and_acknowledged_events_come_back",
    "restore": "test_a_restore_that_is_killed_at_any_step_serves_nobody_and_is_ended_by_the_same_command",
    "key rotate": "test_a_rotation_killed_at_any_step_is_ended_by_the_next_and_nobody_is_lost",
    "quarantine release": "test_a_held_segment_is_listed_and_released",
    "gdpr run": "test_a_thousand_people_are_in_no_store_any_more_and_the_others_are",
    "gdpr export": "test_the_export_is_complete_and_its_hashes_hold",
    "gdpr certificate": "test_a_thousand_people_are_in_no_store_any_more_and_the_others_are",
    "signals": "test_a_changed_file_of_models_is_refused_and_made_anew_on_demand",
    "identity accept": "test_from_suggestion_to_one_lead_and_back",
    "actions resolve": "test_a_doubt_is_settled_by_a_person_and_only_then_tried_again",
    "model": "test_a_run_trains_scores_and_shows_predictions_with_their_outcome_in_the_warehouse",
    "drift run": "test_the_command_prints_json_and_ends_with_three_where_a_model_drifts",
}
"""What takes long, needs a vendor, or changes what all others stand on; by how it begins."""

WHOLE = {
    ("status",), ("actions", "list"), ("actions", "digest"), ("lake", "compact"), ("lake", "list"), ("tenant", "hooks"), ("reports", "build"), ("doctor",),
    ("experiment", "status"), ("quarantine", "list"), ("retention", "list"), ("gdpr", "status"), ("identity", "suggest"), ("identity", "list"),
    ("drift", "show"), ("audit", "list"), ("audit", "verify"), ("role", "list"),
}  # fmt: skip
"""Commands that are done without any argument; else a name alone names a command, as in a table."""
_FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_ROOT_COMMAND: Any = typer.main.get_command(cli.app)


def shown(page: str) -> list[tuple[str, ...]]:
    """Commands of a page without the program's name: lines of its blocks, then what stands within its sentences."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [re.split(r" {2,}#| # | {2,}→", line.strip())[0] for block in _FENCED.findall(text) for line in block.splitlines()]
    lines += [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", _FENCED.sub("", text))]
    own = [line.replace(" --home .flexoraa-demo", "") for line in lines]
    return [tuple(shlex.split(line)[1:]) for line in own if re.match(r"(\.venv/bin/)?flexoraa \S", line)]


def parsed(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that name the command; fails where there is none of that name, or where it does not take the others."""
    group, path = _ROOT_COMMAND, []
    for word in words:
        if not getattr(group, "commands", None):
            break
        assert word in group.commands, words
        group = group.commands[word]
        path.append(word)
    rest = list(words[len(path) :])
    if rest and "--help" not in rest:
        group.make_context("flexoraa", [re.sub("^NUMBER$", "1", word) for word in rest])
    return tuple(path)


COMMANDS = list({words: page for page in reversed(PAGES) for words in reversed(shown(page))}.items())[::-1]
"""Each once, with the first page that shows it."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    demo = shared_demo()
    assert demo.code == 0, demo.out + demo.err
    with tempfile.TemporaryDirectory(prefix="flexoraa-d-") as folder:
        Path(folder).chmod(0o711)
        yield copied(demo, Path(folder) / "demo").home


@pytest.fixture(scope="module")
def state(home: Path) -> Iterator[State]:
    """Held open, so that no command starts PostgreSQL for itself."""
    with open_state(Settings.load(home, {})) as opened:
        yield opened


def first(state: State, question: str) -> str:
    with state.psycopg() as connection:
        row = connection.execute(question).fetchone()
    assert row is not None, question
    return str(row[0])


def fill(words: tuple[str, ...], state: State, folder: Path) -> list[str]:
    """Words of the documents into words of this demo."""
    held = "select action_id from ops.outbox where state in ('held', 'requested', 'cancelled') order by 1 limit 1"
    lead = "select lead_id from serving.dim_leads where tenant_id = 'rheinsolar' order by 1 limit 1"
    ids = {
        "quarantine": "select quarantine_id from ops.quarantine order by 1 limit 1",
        "gdpr": "select request_id from ops.privacy_requests order by requested_at desc limit 1",
    }
    asked = {"LEAD": lead, "HOLD": "select hold_id from ops.legal_holds limit 1", "ID": ids.get(words[0], held)}
    plain = {
        "T": "rheinsolar", "MANAGER": "p_asha", "YOUR_ID": "p_asha", "YOU": "p_ben", "SOMEBODY": "p_ben", "PERSON": "p_asha",
        "FILE": str(folder / "out"), "TEXT": "mera budget 40k hai", "TENANT/NUMBER": "rheinsolar/1", "LOGIN": "bi_reader", "NAME": "persuasion_scarcity",
        "tenants.yaml": "examples/tenants.yaml",
    }  # fmt: skip
    if words[:2] == ("quarantine", "expire"):
        plain["T"] = "2026-11-22T00:00:00Z"
    if words[0] == "role":
        plain["ID"] = "rheinsolar"
    mart = {"LINK": "select link_id from marts.fct_lead_links", "ID": "select conversation_id from marts.fct_conversations"}
    if words[0] in {"conversation", "identity"}:
        for word in mart.keys() & set(words):
            answer = ask(
                Settings.load(Path(os.environ["FLEXORAA_HOME"]), {}), f"{mart[word]} where tenant_id = 'rheinsolar' order by 1 limit 1"
            )
            plain[word] = str(answer.to_pylist()[0].popitem()[1])
    return [plain.get(word) or (first(state, asked[word]) if word in asked else word) for word in words]


@pytest.mark.parametrize(("words", "page"), COMMANDS, ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_a_command_of_the_documents_does_what_it_says(
    words: tuple[str, ...],
    page: str,
    home: Path,
    state: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if parsed(words) == words and words not in WHOLE:
        return  # the name of a command, as in a table: its `--help` is tested
    if any(" ".join(words).startswith(each) for each in ELSEWHERE):
        return
    for name in [name for name in os.environ if name.startswith(("FLEXORAA_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FLEXORAA_HOME", str(home))
    for name in re.findall(r"env: (\w+)", (ROOT / "examples" / "tenants.yaml").read_text(encoding="utf-8")):
        monkeypatch.setenv(name, "https://example.com/x" if name.endswith("URL") else "some-secret")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["flexoraa", *fill(words, state, tmp_path)])
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(first(state, "select lead_id from serving.dim_leads where tenant_id = 'rheinsolar' limit 1"))
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in {None, 0, 3}, f"{sys.argv}: {capsys.readouterr().err}"


@pytest.mark.parametrize(
    "words",
    [
        *("actions list", "audit list", "drift show", "experiment status", "gdpr status", "identity list", "model list", "model score"),
        *("quarantine list", "quarantine replay", "retention list", "role list"),
    ],
)
def test_an_unknown_tenant_is_told_with_those_that_there_are(
    words: str, home: Path, state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["flexoraa", *words.split(), "--tenant", "nobody", "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith("flexoraa: there is no tenant 'nobody'; there are ") and "rheinsolar" in told.err


def test_what_is_done_elsewhere_is_done_there() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in code] == []
