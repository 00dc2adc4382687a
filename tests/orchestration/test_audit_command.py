"""`flexoraa audit` as its user meets it: what is listed, exported, proved and witnessed, and what it says when the log was tampered with."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from core.events import Point
from orchestration.cli import app
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.state import State
from orchestration.resources.vault import Vault


@pytest.fixture(scope="module")
def audit(state: State, vault: Vault) -> Iterator[PostgresAudit]:
    """Two chains of three and two entries."""
    made = PostgresAudit(state, vault)
    for number in range(3):
        made.append("log_one", "meera", "erasure.approved", f"cp_{number}", {"number": number})
    for number in range(2):
        made.append("log_two", "ravi", "key.rotated", f"key_{number}", {})
    yield made
    _untouchable(state, "truncate ops.audit_log")


def _untouchable(state: State, statement: str) -> None:
    """What only a superuser who switches the triggers off can do: the attack that the verifier is for."""
    with state.owner() as connection:
        connection.execute("alter table ops.audit_log disable trigger all")
        connection.execute(statement)  # type: ignore[arg-type]  # the tests' own text
        connection.execute("alter table ops.audit_log enable always trigger follows, enable always trigger stands")
        connection.execute("alter table ops.audit_log enable always trigger stands_whole")


def audited(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["audit", *arguments, *([] if "--offline" in arguments or "--proof" in arguments else ["--home", str(home)])]
    )


def test_an_export_verifies_anywhere_and_a_changed_byte_of_it_does_not(home: Path, audit: PostgresAudit, tmp_path: Path) -> None:
    out = tmp_path / "audit.ndjson"
    told = json.loads(audited(home, "export", "--out", str(out), "--json").stdout)
    assert told["holds"] and told["entries"]["log_one"] == 3 and told["entries"]["log_two"] == 2
    assert out.stat().st_mode & 0o777 == 0o600
    good = audited(home, "verify", "--offline", str(out), "--key", audit.public_key)
    assert good.exit_code == 0 and "hold, signed by" in good.output
    assert "cannot say" in audited(home, "verify", "--offline", str(out)).output
    out.write_bytes(out.read_bytes().replace(b"erasure.approved", b"erasure.disproved", 1))
    bad = audited(home, "verify", "--offline", str(out), "--key", audit.public_key)
    assert bad.exit_code == 1 and "was changed" in bad.output


def test_one_tenants_export_holds_no_other(home: Path, audit: PostgresAudit, tmp_path: Path) -> None:
    out = tmp_path / "one.ndjson"
    assert audited(home, "export", "--out", str(out), "--tenant", "log_one").exit_code == 0
    assert b"log_two" not in out.read_bytes() and b"erasure.approved" in out.read_bytes()
    assert audited(home, "verify", "--offline", str(out)).exit_code == 0
    refused = audited(home, "export", "--out", str(tmp_path / "no.ndjson"), "--tenant", "nobody")
    assert "has no entry of 'nobody'" in str(refused.exception) and not (tmp_path / "no.ndjson").exists()


def test_a_proof_verifies_without_the_log_and_not_for_another_entry(home: Path, audit: PostgresAudit, tmp_path: Path) -> None:
    out = tmp_path / "proof.json"
    assert audited(home, "prove", "log_one/2", "--out", str(out)).exit_code == 0
    assert b"cp_1" in out.read_bytes() and b"cp_0" not in out.read_bytes()
    assert audited(home, "verify", "--proof", str(out), "--key", audit.public_key).exit_code == 0
    out.write_text(out.read_text().replace("cp_1", "cp_9"))
    assert audited(home, "verify", "--proof", str(out)).exit_code == 1
    assert "there is no entry log_one/4" in str(audited(home, "prove", "log_one/4").exception)


def test_entries_are_listed_newest_first_and_by_the_beginning_of_their_action(home: Path, audit: PostgresAudit) -> None:
    found = json.loads(audited(home, "list", "--tenant", "log_one", "--action", "erasure", "--json").stdout)["entries"]
    assert [row["entry"] for row in found] == ["log_one/3", "log_one/2", "log_one/1"]


def test_after_an_erasure_every_entry_of_the_person_still_holds(home: Path, state: State, vault: Vault, audit: PostgresAudit) -> None:
    point = Point("email", "asha.rao@example.org")
    point_id = vault.points("log_one", [point])[point].point_id
    audit.append("log_one", "meera", "erasure.executed", point_id, {"point_id": point_id})
    with state.psycopg() as connection:
        connection.execute("update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s", (point_id,))
        kept = connection.execute("select string_agg(l::text, ' ') from ops.audit_log l where tenant_id = 'log_one'").fetchone()
    assert audited(home, "verify").exit_code == 0
    assert kept is not None and point_id in kept[0] and "asha" not in kept[0].lower()


def test_a_log_that_its_database_owner_cut_off_or_rewrote_is_told_from_the_witnessed_one(
    home: Path, state: State, audit: PostgresAudit, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.ndjson"
    first = json.loads(audited(home, "witness", str(roots), "--json").stdout)
    assert first["written"] >= 2
    assert json.loads(audited(home, "witness", str(roots), "--json").stdout)["written"] == 0
    assert audited(home, "verify", "--witness", str(roots)).exit_code == 0
    _untouchable(state, "delete from ops.audit_log where tenant_id = 'log_two' and number = 2")
    assert audited(home, "verify").exit_code == 0  # a shorter log is a whole one: that is what a witness is for
    cut = audited(home, "verify", "--witness", str(roots))
    assert cut.exit_code == 1 and "log_two/2: was witnessed" in cut.output and "cut off" in cut.output
    assert "Nothing was written" in str(audited(home, "witness", str(roots)).exception)
    audit.append("log_two", "ravi", "key.rotated", "another", {})
    forked = audited(home, "verify", "--witness", str(roots))
    assert forked.exit_code == 1 and "rewritten or forked" in forked.output
    _untouchable(state, "update ops.audit_log set actor = 'ravi' where tenant_id = 'log_one' and number = 1")
    edited = audited(home, "verify")
    assert edited.exit_code == 1 and "log_one/1: was changed" in edited.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["witness"], "FLEXORAA_AUDIT_WITNESS"),
        (["prove", "nonsense"], "write TENANT/NUMBER"),
        (["verify", "--proof", "/dev/null"], "is no proof"),
    ],
)
def test_wrong_use_says_what_to_do(home: Path, audit: PostgresAudit, arguments: list[str], said: str) -> None:
    assert said in str(audited(home, *arguments).exception)
