"""`flexoraa gdpr` and `flexoraa retention` as people and scripts use them: each verb, each wrong input, one exit code a kind, all audited."""

import json
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import cli
from tests.orchestration.privacy_world import END, MANAGER, OPERATOR, OTHER, World

Run = Callable[..., tuple[int, str, str]]
AS_OF = ("--as-of", END.isoformat())


@pytest.fixture
def flexoraa(people: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process; returns exit code and both outputs."""
    for name in ("FLEXORAA_HOME", "DATABASE_URL", "FLEXORAA_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["flexoraa", *map(str, arguments), "--home", str(people.settings.home)])
        code = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


def _gdpr(run: Run, verb: str, *arguments: object, exit_code: int = 0) -> dict[str, object]:
    code, out, err = run("gdpr", verb, *arguments, "--json", *(() if verb == "certificate" else AS_OF))
    assert code == exit_code, err
    return json.loads(out)  # type: ignore[no-any-return]


def _asked(run: Run, people: World, kind: str, person: str = "") -> str:
    lead = person or people.somebody()
    made = _gdpr(
        run, "request", "--tenant", people.leads[lead][0], "--person", lead, "--by", OPERATOR, "--reason", "a letter", "--kind", kind
    )
    assert (made["state"], made["kind"], made["days_left"]) == ("requested", kind, 30)
    return str(made["request_id"])


def _approved(run: Run, people: World, kind: str, person: str = "") -> str:
    request = _asked(run, people, kind, person)
    assert _gdpr(run, "verify-identity", request, "--by", OTHER)["state"] == "verified"
    assert _gdpr(run, "approve", request, "--by", MANAGER, "--reason", "nothing is open")["state"] == "approved"
    return request


def test_an_erasure_goes_from_request_to_certificate_by_the_command_alone(people: World, flexoraa: Run) -> None:
    lead = people.somebody()
    request = _approved(flexoraa, people, "erasure", lead)
    code, _, err = flexoraa("gdpr", "certificate", request)
    assert (code, "has no certificate yet" in err) == (2, True)
    code, out, err = flexoraa("gdpr", "status")
    assert (code, request in out, "approved" in out) == (0, True, True)
    ran = _gdpr(flexoraa, "run", request[:9], "--by", OPERATOR, "--quiet")
    assert ran == {"requests": [{"request_id": request, "tenant_id": people.leads[lead][0], "state": "closed", "hits": 0, "places": []}]}
    proof = _gdpr(flexoraa, "certificate", request)
    assert proof["is_valid"] is True
    assert json.loads(str(proof["body"]))["verdict"] == "clean"
    steps = _gdpr(flexoraa, "status", request)["steps"]
    assert isinstance(steps, dict)
    assert len(steps) == 10 and all(each["done_at"] for each in steps.values())
    again = _gdpr(flexoraa, "run", request, "--by", OPERATOR, "--quiet", exit_code=2)
    assert [each["refused"] for each in again["requests"]] == ["wrong_state"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["access", "rectification"])
def test_access_and_rectification_are_answered_by_an_export_and_by_nothing_else(
    people: World, flexoraa: Run, tmp_path: Path, kind: str
) -> None:
    request = _approved(flexoraa, people, kind)
    refused = _gdpr(flexoraa, "run", request, "--by", OPERATOR, "--quiet", exit_code=2)
    assert [each["refused"] for each in refused["requests"]] == ["other_kind"]  # type: ignore[attr-defined]
    code, _, err = flexoraa("gdpr", "export", request, "--by", MANAGER, "--out", tmp_path / "own.zip", "--quiet", *AS_OF)
    assert (code, "cannot execute it" in err) == (2, True)
    answer = _gdpr(flexoraa, "export", request, "--by", OPERATOR, "--out", tmp_path / "her.zip", "--quiet")
    assert (answer["state"], answer["out"]) == ("closed", str(tmp_path / "her.zip"))
    with zipfile.ZipFile(tmp_path / "her.zip") as archive:
        assert json.loads(archive.read("inventory.json"))["request_id"] == request
    assert json.loads(str(_gdpr(flexoraa, "certificate", request)["body"]))["format"] == f"flexoraa.{kind}.1"
    code, _, err = flexoraa("gdpr", "run", *AS_OF, "--quiet")
    assert code == 0, err


def test_a_request_may_be_denied_and_then_made_again(people: World, flexoraa: Run) -> None:
    lead = people.somebody()
    request = _asked(flexoraa, people, "erasure", lead)
    code, _, err = flexoraa("gdpr", "deny", request, "--by", OPERATOR, "--reason", "no", *AS_OF)
    assert (code, "may not approve or deny" in err) == (2, True)
    assert _gdpr(flexoraa, "deny", request, "--by", MANAGER, "--reason", "the identity is in doubt")["state"] == "denied"
    code, out, _ = flexoraa("gdpr", "status", "--all", "--tenant", people.leads[lead][0], *AS_OF)
    assert (code, "denied" in out) == (0, True)
    again = ("gdpr", "request", "--tenant", people.leads[lead][0], "--person", lead, "--by", OPERATOR, "--reason", "a passport")
    assert flexoraa(*again, "--as-of", (END + timedelta(microseconds=1)).isoformat())[0] == 0


def test_each_wrong_input_is_told_in_one_sentence_ends_with_2_changes_nothing_and_is_in_the_log(people: World, flexoraa: Run) -> None:
    lead, other = people.somebody(), people.somebody()
    tenant = people.leads[lead][0]
    late = (END + timedelta(days=30)).isoformat()
    asked, approved = _asked(flexoraa, people, "erasure", other), _approved(flexoraa, people, "erasure")
    verified = _asked(flexoraa, people, "access", other)
    _gdpr(flexoraa, "verify-identity", verified, "--by", OTHER)
    request = ("gdpr", "request", "--by", OPERATOR, "--reason", "r")
    wrong: list[tuple[tuple[str, ...], str, str]] = [
        ((*request, "--tenant", tenant, "--person", "+4915100000000"), "knows nobody", "unknown_person"),
        ((*request, "--tenant", tenant, "--person", "lead_"), "has no lead", "unknown_person"),
        ((*request, "--tenant", tenant, "--person", _alike(people)), "may be", "ambiguous_person"),
        ((*request, "--tenant", tenant, "--person", other), "asks for the same", "second_request"),
        ((*request, "--tenant", "no_such", "--person", lead), "there is no tenant", "unknown_tenant"),
        (("gdpr", "approve", asked, "--by", MANAGER, "--reason", "r"), "verify the identity first", "wrong_state"),
        (("gdpr", "approve", verified, "--by", MANAGER, "--reason", "r", "--as-of", late), "--late", "after_deadline"),
        (("gdpr", "approve", verified, "--by", "p_nobody", "--reason", "r"), "nobody with the id", "unknown_person"),
        (("gdpr", "verify-identity", approved, "--by", "p_nobody"), "nobody with the id", "unknown_person"),
        (("gdpr", "run", approved, "--by", MANAGER), "cannot execute it", "own_approval"),
        (("gdpr", "run", approved, "--by", "p_nobody"), "nobody with the id", "unknown_person"),
    ]
    before = _requests(people)
    for arguments, words, code in wrong:
        told = _told(people, tenant)
        moment = () if "--as-of" in arguments else AS_OF
        status, out, err = flexoraa(*arguments, *moment)
        assert (status, words in out + err) == (2, True), (arguments, status, out, err)
        assert "Traceback" not in err
        assert _told(people, tenant) - told == {code: 1}, arguments
        assert _requests(people) == before, arguments
    for arguments, words in (
        (("gdpr", "approve", "pr_0000000000", "--by", MANAGER, "--reason", "r"), "there is no request"),
        (("gdpr", "certificate", "pr_"), "there is no request"),
        (("gdpr", "export", asked, "--by", OPERATOR, "--out", people.settings.home / "x.zip"), "choose another --out"),
        (("gdpr", "request", "--tenant", tenant, "--person", lead, "--by", OPERATOR, "--reason", "r", "--kind", "deletion"), "deletion"),
    ):
        status, _, err = flexoraa(*arguments)
        assert (status, words in err) == (2, True), (arguments, err)
    assert _requests(people) == before


def _alike(people: World) -> str:
    """Ids are random, so two that begin alike are made: an old id of one lead, with a letter more than another lead's."""
    path = people.settings.reference / "lead_aliases.parquet"
    rows = pq.read_table(path)
    one, other = sorted(people.leads)[:2]
    row = dict.fromkeys(rows.schema.names) | {"tenant_id": people.leads[one][0], "alias_id": one[:12] + "zz", "lead_id": other}
    pq.write_table(pa.concat_tables([rows, pa.Table.from_pylist([row], rows.schema)]), path)
    return one[:12]


def _told(people: World, tenant_id: str) -> Counter[str]:
    """Codes of what was refused, of the tenant or of nobody known."""
    entries = [*people.platform.audit.entries(tenant_id), *people.platform.audit.entries("")]
    return Counter(str(each.details["code"]) for each in entries if each.action.endswith(".refused"))


def _requests(people: World) -> object:
    with people.state.psycopg() as connection:
        return connection.execute(
            "select md5(coalesce(string_agg(r::text, '|' order by request_id), '')), (select count(*) from ops.privacy_steps) "
            "from ops.privacy_requests as r"
        ).fetchone()


def test_rules_and_holds_are_set_shown_and_ended_by_managers_alone(people: World, flexoraa: Run) -> None:
    lead = people.somebody()
    tenant = people.leads[lead][0]
    by = ("--tenant", tenant, "--by", MANAGER)
    for arguments, words in (
        (("set", "lake.messages", "--tenant", tenant, "--by", OPERATOR, "--days", 30), "a manager or an admin may"),
        (("set", "lake.gossip", *by, "--days", 30), "there is no rule on"),
        (("set", "lake.messages", *by, "--days", 0), "1"),
        (("hold", "--tenant", tenant, "--by", OPERATOR, "--lead", lead, "--reason", "r"), "a manager or an admin may"),
        (("hold", *by, "--lead", "lead_nobody", "--reason", "r"), "has no lead"),
        (("hold", "--tenant", "no_such", "--by", MANAGER, "--reason", "r"), "is nobody of no_such"),
        (("release", "hold_nobody", "--by", MANAGER, "--reason", "r"), "is no hold in force"),
    ):
        status, _, err = flexoraa("retention", *arguments)
        assert (status, words in err) == (2, True), (arguments, err)
    assert flexoraa("retention", "set", "outbox", *by, "--days", 30)[0] == 0
    held = json.loads(flexoraa("retention", "hold", *by, "--lead", lead, "--reason", "a lawsuit", "--json")[1])
    assert held["lead_id"] == lead
    listed = json.loads(flexoraa("retention", "list", "--tenant", tenant, "--json")[1])
    assert [(each["kept"], each["days"]) for each in listed["rules"] if each["kept"] == "outbox"] == [("outbox", 30)]
    assert held["hold_id"] in [each["hold_id"] for each in listed["holds"]]
    assert f"holds {lead}" in flexoraa("retention", "list")[1]
    request = _approved(flexoraa, people, "erasure", lead)
    refused = _gdpr(flexoraa, "run", request, "--by", OPERATOR, "--quiet", exit_code=2)
    assert [each["refused"] for each in refused["requests"]] == ["legal_hold"]  # type: ignore[attr-defined]
    assert flexoraa("retention", "release", held["hold_id"], "--by", OPERATOR, "--reason", "r")[0] == 2
    assert flexoraa("retention", "release", held["hold_id"], "--by", MANAGER, "--reason", "settled")[0] == 0
    assert flexoraa("retention", "release", held["hold_id"], "--by", MANAGER, "--reason", "settled")[0] == 2
    assert flexoraa("retention", "set", "outbox", *by)[0] == 0
    assert "outbox" not in flexoraa("retention", "list", "--tenant", tenant)[1]
