"""The demo's home: everything planted is found, nothing personal is in the clear, and any other order gives the same marts."""

import base64
import json
import random
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from orchestration.conversation_command import shown as shown_words
from orchestration.demo import DAYS, PLANTED_CHECKS, SEED, TENANTS
from orchestration.demo import END_AT as END
from orchestration.readme import shown, timeless
from orchestration.receiver import Request
from orchestration.resources.access import AccessError
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.engines import ask
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault
from orchestration.simulator import Manifest
from tests.e2e.conftest import END_AT, Ran, fingerprints, flexoraa
from tests.e2e.late_exposures import drop
from tests.e2e.mixing import Mix, Signers, mixed, unpacked, write

KINDS = (
    "leads", "leaks open", "leaks ever", "service levels met", "service levels breached", "hot leads", "recovery due", "token balance", "token transactions", "tokens expired",
    "signs of abuse", "wallets about to run out", "money between us and the provider", "token thresholds",
    "number changes, one lead each", "opt-outs", "experiments killed", "messages", "statuses", "conversations", "messaging windows", "window violations",
    "appointments", "reschedules", "payments", "payments credited", "account news", "contact events", "duplicates", "rejects",
    "events accepted", "actions delivered", "recoveries held, the wallet is empty",
)  # fmt: skip


def test_every_planted_kind_is_found(demo: tuple[Path, Ran]) -> None:
    _, ran = demo
    assert ran.code == 0, ran.out + ran.err
    rows = {parts[1].strip(): parts[2:5] for line in ran.out.splitlines() if (parts := line.split("│"))[0] == "" and len(parts) == 6}
    for kind in KINDS:
        planted, found, verdict = (cell.strip() for cell in rows[kind])
        assert (planted, verdict) == (found, "equal"), kind
        assert int(planted.replace(",", "")) > 0, f"nothing of the kind {kind} was planted"


def test_the_readme_shows_what_the_demo_prints(demo: tuple[Path, Ran]) -> None:
    home, ran = demo
    assert shown() == timeless(ran.out.replace(str(home), ".flexoraa-demo")), "make demo | python -m orchestration.readme"


def test_every_kind_of_reject_was_planted_and_each_lies_in_quarantine_with_its_place(demo: tuple[Path, Ran]) -> None:
    home, _ = demo
    planted = Manifest.load(home / "demo" / "traffic" / "truth.json").rejects()
    assert {"wrong_signature", "unknown_account", "not_json", "invalid_utf8", "too_large"} <= planted.keys()
    with open_state(Settings(home)) as state, state.psycopg() as connection:
        held = connection.execute("select reason, place, detail, body_enc from ops.quarantine").fetchall()
    assert all(place.startswith("line ") and detail and body for _, place, detail, body in held)
    assert sorted(reason for reason, *_ in held) == sorted(planted.elements())


def test_nothing_personal_is_in_the_clear(demo: tuple[Path, Ran]) -> None:
    home, _ = demo
    canaries = Manifest.load(home / "demo" / "traffic" / "truth.json").canaries
    plain = [*canaries.names, *canaries.phones, *canaries.emails, *canaries.texts]
    assert len(plain) > 10
    needles = {form for value in plain for form in _forms(value)}
    raw = b"".join(unpacked(path) for path in (Settings(home).inbox / "done").iterdir()).lower()
    assert sum(needle in raw for needle in needles) > len(plain) / 2, "the search does not even find what the inbox holds"
    found = []
    for store, content in _stores(home):
        lowered = content.lower()
        found += [f"{store}: {needle!r}" for needle in needles if needle in lowered]
    assert found == []


def _forms(value: str) -> set[bytes]:
    """A value as it could lie somewhere: plain, without the plus of a phone, base64 at each alignment, hex, escaped; in lower case."""
    texts = {value, value.removeprefix("+"), value.encode("unicode_escape").decode()}
    forms = {text.encode() for text in texts} | {text.encode().hex().encode() for text in texts}
    for text in texts:
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + text.encode())
            forms.add(coded[4 if shift else 0 : len(coded) // 4 * 4 - 4])
    return {form.lower() for form in forms if len(form) >= 5}


def _stores(home: Path) -> list[tuple[str, bytes]]:
    """Every byte behind the inbox: files as they lie, Parquet and DuckDB unpacked besides, and each table of Postgres as text."""
    settings = Settings(home)
    folders = (settings.lake, settings.reference, settings.logs, settings.dagster, settings.reports, settings.dbt_target, settings.state)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()] + [settings.warehouse]
    stores = [(str(path), path.read_bytes()) for path in files]
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
        for schema, table in tables:
            rows = connection.sql(f'from "{schema}"."{table}"').to_arrow_table().to_pylist()
            stores.append((f"{schema}.{table}", repr(rows).encode()))
    assert len(tables) > 50
    with open_state(settings) as state, state.owner() as connection:
        for schema, table in connection.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('ops', 'vault', 'serving', 'dagster')"
        ).fetchall():
            rows = connection.execute(f'select t::text from "{schema}"."{table}" as t').fetchall()
            stores.append((f"{schema}.{table}", repr(rows).encode()))
    return stores


def test_words_are_for_operators_and_above_and_every_reading_and_refusal_is_in_the_log(demo: tuple[Path, Ran]) -> None:
    settings = Settings(demo[0])
    asked = (  # of a channel whose bodies hold the words as they are: Gmail's are in base64
        "select conversation_id from marts.fct_conversations "
        "where tenant_id = 'rheinsolar' and channel = 'whatsapp' and inbound_count > 2 order by 1 limit 1"
    )
    conversation = ask(settings, asked).to_pylist()[0]["conversation_id"]
    told = shown_words(settings, conversation, "p_ben")
    raw = b"".join(unpacked(path) for path in (settings.inbox / "done").iterdir()).decode(errors="replace")
    words = [each["text"] for each in told["messages"] if each["author_type"] == "lead" and each["message_type"] == "text"]
    written = [json.dumps(json.dumps(text)[1:-1])[1:-1] for text in words]  # a body is a text of JSON within a line of JSON
    assert written and all(text in raw or words[number].startswith("(taken back") for number, text in enumerate(written))
    become = "update ops.reference set body = jsonb_set(body, '{role}', %s) where tenant_id = 'rheinsolar' and row_key = 'p_ben'"
    with open_state(settings) as state:
        with state.psycopg() as connection:
            assert connection.execute(become, ('"viewer"',)).rowcount == 1
        for who, why in (("p_ben", "p_ben is viewer"), ("p_nobody", "has nobody with the id")):
            with pytest.raises(AccessError, match=why):
                shown_words(settings, conversation, who)
        with state.psycopg() as connection:
            connection.execute(become, ('"operator"',))
        log = PostgresAudit(state, Vault(state, settings.master_key()))
        mine = [(each.actor, each.action) for each in log.entries("rheinsolar") if each.subject == conversation]
    assert mine == [("p_ben", "conversation.read"), ("p_ben", "conversation.refused"), ("unknown", "conversation.refused")]


def test_a_second_run_over_a_compacted_lake_changes_no_mart_and_sends_nothing(demo: tuple[Path, Ran]) -> None:
    home, _ = demo
    before, sent, waiting = fingerprints(home), _effects(home), _held(home)
    assert sent > 50
    assert sum(waiting.values()) > 3
    compacted = flexoraa("lake", "compact", "--min-files", "2", "--json", "--home", home)
    assert compacted.code == 0, compacted.err
    assert compacted.json()["merges"] > 20
    assert compacted.json()["files_removed"] == compacted.json()["files_before"] > 40
    ran = flexoraa("run", "--as-of", END_AT, "--home", home, "--quiet")
    assert ran.code == 3, ran.err  # 3: what was planted still warns
    summary = ran.json()
    assert set(summary["checks_failed"]) == PLANTED_CHECKS
    assert (summary["segments"], summary["rounds"]) == (0, 1)
    done = {name: count for name, count in summary["actions"].items() if count}
    # Judged anew by the new publication: the wallet is still empty.
    assert done == {"released": sum(waiting.values())} | {f"{rule}_held": count for rule, count in waiting.items()}
    assert fingerprints(home) == before
    assert _effects(home) == sent


def test_a_failed_blocking_check_stops_all_that_depends_on_it_and_the_run_says_why(demo: tuple[Path, Ran]) -> None:
    home, _ = demo
    before, published = fingerprints(home), _published(home)
    with open_state(Settings(home)) as state, state.owner() as connection:
        lost = "update ops.segment_counts set received = received + {0}, accepted = accepted + {0} where ctid = ("
        lost += "select min(ctid) from ops.segment_counts where source = 'whatsapp')"
        connection.execute(lost.format(1).encode())
        try:
            connection.commit()
            ran = flexoraa("run", "--as-of", END_AT, "--home", home, "--quiet")
        finally:
            connection.execute(lost.format(-1).encode())
    assert ran.code == 1, ran.err
    summary = ran.json()
    assert (summary["status"], summary["checks_failed"]) == ("failed", ["lake/messages: conservation"])
    [said] = summary["errors"]
    assert "lake/messages: conservation" in said
    assert "1 counts differ, the first: segment" in said
    assert "accepted," in said
    assert "in the lake" in said
    assert (fingerprints(home), _published(home)) == (before, published)


def _published(home: Path) -> list[tuple[object, ...]]:
    """What was ever put before operations."""
    with open_state(Settings(home)) as state, state.psycopg() as connection:
        return connection.execute("select * from ops.publications order by 1").fetchall()


def _held(home: Path) -> dict[str, int]:
    """How many actions wait, by rule."""
    with open_state(Settings(home)) as state, state.psycopg() as connection:
        return dict(connection.execute("select rule, count(*) from ops.outbox where state = 'held' group by rule").fetchall())


def _effects(home: Path) -> int:
    with open_state(Settings(home)) as state, state.psycopg() as connection:
        row = connection.execute("select count(*) from ops.delivery_attempts where request_sha256 is not null").fetchone()
    return 0 if row is None else int(row[0])


def _received(home: Path) -> list[Request]:
    return [msgspec.json.decode(line, type=Request) for line in (home / "demo" / "received.ndjson").read_bytes().splitlines()]


def _ask(home: Path, table: str, what: str) -> int:
    with duckdb.connect(str(Settings(home).warehouse), read_only=True) as connection:
        where = "and" if "where" in table else "where"
        return int(connection.execute(f"select {what} from marts.{table} {where} experiment_id = 'persuasion_scarcity'").fetchall()[0][0])


@pytest.mark.parametrize("seed", [1])
def test_any_order_any_split_any_repetition_any_lateness_gives_the_same_marts(demo: tuple[Path, Ran], seed: int) -> None:
    """Comes late: it forgets the lake and takes everything in again, shuffled, doubled, late, in other segments. The vault stays."""
    home, _ = demo
    settings = Settings(home)
    before = fingerprints(home)
    lines = [line for path in sorted((settings.inbox / "done").iterdir()) for line in unpacked(path).split(b"\n") if line]
    with open_state(settings) as state, state.psycopg() as connection:
        connection.execute("delete from ops.segments")
        connection.execute("delete from ops.segment_counts")
        connection.execute("delete from ops.quarantine")
    shutil.rmtree(settings.lake)
    settings.warehouse.unlink()
    mix = Mix(seed, doubled=0.4, late=0.3, segments=14)
    write(settings.inbox, mixed(lines, mix, Signers(SEED, TENANTS, END, DAYS), END), random.Random(seed))
    ran = flexoraa("run", "--as-of", END_AT, "--home", home, "--quiet")
    assert ran.code == 3, ran.err  # 3: the rejects are in quarantine again
    assert fingerprints(home) == before
    again = Manifest.load(home / "demo" / "traffic" / "truth.json").rejects().keys()
    assert ran.json()["rejected_in_this_run"].keys() == again


def test_a_harmful_variant_is_killed_once_told_once_and_no_later_exposure_counts(demo: tuple[Path, Ran]) -> None:
    """Comes last: an hour later, with people whom the stopped experiment still meets."""
    home, _ = demo
    called = [each.json() for each in _received(home) if each.path == "/callback/meridian_homes"]
    [told] = [each for each in called if each["kind"] == "kill_experiment"]
    assert (told["kind"], told["details"]["serve"], told["details"]["cause"]) == ("kill_experiment", "control", "harm")
    assert told["details"]["evidence"]["statistic"] > told["details"]["evidence"]["bound"]
    counted = _ask(home, "exp_moments", "max(exposed_count)")
    experiment = drop(home, SEED, DAYS, END, people=10)
    ran = flexoraa("run", "--as-of", (END + timedelta(hours=1)).isoformat(), "--home", home, "--quiet")
    assert ran.code == 3, ran.err
    assert "ops/experiment_kills: no_experiment_is_killed" in ran.json()["checks_failed"]
    assert experiment == "persuasion_scarcity"
    assert _ask(home, "exp_moments", "max(exposed_count)") == counted
    assert _ask(home, "exp_moments", "count(distinct valid_from)") == 1
    assert _ask(home, "exp_findings where finding = 'exposed_after_kill'", "max(finding_count)") == 10
    with open_state(Settings(home)) as state, state.psycopg() as connection:
        switched = connection.execute("select state, attempts from ops.outbox where rule = 'experiment_switch'").fetchall()
    assert switched == [("sent", 1)]
    status = flexoraa("experiment", "status", "--tenant", "meridian_homes", "--home", home, "--json").json()["experiments"]
    assert [(each["status"], each["serve"], each["by"]) for each in status] == [("killed", "control", "ab_monitor")]
    page = (home / "reports" / "experiments" / "meridian_homes--persuasion_scarcity.html").read_text(encoding="utf-8")
    assert "Stopped: scarcity is worse on visit_booked" in page
