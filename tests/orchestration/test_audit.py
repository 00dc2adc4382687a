"""The audit log in Postgres: appended, in its order, by many at once; changed by nobody."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from core.audit import AuditError, broken_links, broken_signatures
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.state import State
from orchestration.resources.vault import Vault


@pytest.fixture(scope="module")
def audit(state: State, vault: Vault) -> PostgresAudit:
    return PostgresAudit(state, vault)


def test_a_chain_holds_after_many_appended_to_it_at_once(audit: PostgresAudit) -> None:
    def append(number: int) -> None:
        audit.append("many", "meera", "thing.done", f"thing {number}", {"number": number, "share": 0.1, "name": "ऋ"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(40)))
    entries = list(audit.entries("many"))
    assert [entry.number for entry in entries] == list(range(1, 41))
    assert {entry.details["number"] for entry in entries} == set(range(40))
    assert [*broken_links("many", entries), *broken_signatures(entries, audit.public_key)] == []


def test_an_entry_stands_and_falls_with_the_transaction_in_which_it_was_made(state: State, audit: PostgresAudit) -> None:
    with pytest.raises(ZeroDivisionError), state.psycopg() as connection:
        audit.within(connection).append("falls", "meera", "thing.done", "a", {})
        raise ZeroDivisionError
    with state.begin() as connection:
        connection_audit = audit.within(connection)
        connection_audit.append("falls", "meera", "thing.done", "b", {})
        connection_audit.append("falls", "meera", "thing.done", "c", {})
    assert [(entry.number, entry.subject) for entry in audit.entries("falls")] == [(1, "b"), (2, "c")]


@pytest.mark.parametrize(
    "statement",
    [
        "update ops.audit_log set actor = 'nobody'",
        "delete from ops.audit_log",
        "truncate ops.audit_log",
        "insert into ops.audit_log select tenant_id, number + 7, recorded_at, actor, action, subject, details, hash, hash, signature "
        "from ops.audit_log limit 1",
        "insert into ops.audit_log select tenant_id, number + 1, recorded_at, actor, action, subject, details, previous_hash, hash, signature "
        "from ops.audit_log where tenant_id = 'one' order by number desc limit 1",
        "insert into ops.audit_log select tenant_id, number + 1, recorded_at - interval '1 second', actor, action, subject, details, hash, hash, "
        "signature from ops.audit_log where tenant_id = 'one' order by number desc limit 1",
    ],
)
@pytest.mark.parametrize("opened", ["psycopg", "owner"])
def test_nobody_changes_the_log_neither_the_platform_nor_its_owner_nor_a_replica(
    state: State, audit: PostgresAudit, statement: str, opened: str
) -> None:
    audit.append("one", "meera", "thing.done", "a", {})
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.IntegrityError)), getattr(state, opened)() as connection:
        if opened == "owner":
            connection.execute("set session_replication_role = replica")
        connection.execute(statement)


@pytest.mark.parametrize(
    ("subject", "details"),
    [
        ("asha@example.org", {}),
        ("a", {"to": ["+919876543210"]}),
        ("a", {"by": {"asha.rao@mail.example.co.in": 1}}),
        ("a", {"n": float("nan")}),
    ],
)
def test_what_names_a_person_or_is_no_json_is_no_entry(audit: PostgresAudit, subject: str, details: dict[str, object]) -> None:
    with pytest.raises(AuditError) as caught:
        audit.append("one", "meera", "thing.done", subject, details)
    assert "asha" not in str(caught.value) and "98765" not in str(caught.value)
