"""Law 7 for every table that the catalogue knows, now and later: a tenant's roles read, write and infer nothing of another tenant."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege

from orchestration.resources.state import State, protect_table

ROLES = ("viewer", "operator", "manager", "admin")
SCHEMAS = ("ops", "serving", "vault", "dagster", "public")
_VALUE = {
    "text": "'{tenant}-x{n}'",
    "integer": "{n}",
    "bigint": "{n}",
    "double precision": "{n}.5",
    "numeric": "{n}",
    "boolean": "true",
    "jsonb": "'{{}}'",
    "json": "'{{}}'",
    "bytea": "sha256('{tenant}{n}')",
    "timestamp with time zone": "'2026-01-0{n}T00:00:00Z'",
    "date": "'2026-01-0{n}'",
    "text[]": "array['{tenant}']",
}


@pytest.fixture(scope="module", autouse=True)
def world(state: State) -> Iterator[None]:
    """Two tenants with their roles, and a mart of theirs as the publisher makes it."""
    with state.owner() as connection:
        for tenant in ("ct_a", "ct_b"):
            connection.execute("select ops.make_tenant_roles(%s)", (tenant,))
    with state.psycopg() as connection:
        connection.execute("create table serving.ct_mart (tenant_id text not null, lead_id text, score bigint, seen_at timestamptz)")
        protect_table(connection, "serving", "ct_mart")
    yield
    with state.psycopg() as connection:
        connection.execute("drop table serving.ct_mart")


def tables(connection: Connection, *, with_tenant: bool) -> list[tuple[str, str]]:
    query = """
        select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm') and n.nspname = any(%s) and %s = exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        ) order by 1, 2
    """
    return [(str(row[0]), str(row[1])) for row in connection.execute(query, (list(SCHEMAS), with_tenant))]


def columns(connection: Connection, schema: str, table: str) -> list[tuple[str, str]]:
    query = """
        select attname, format_type(atttypid, null) from pg_attribute
        where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass and attnum > 0 and not attisdropped and attidentity = ''
        and attgenerated = ''
    """
    return [(str(row[0]), str(row[1])) for row in connection.execute(query, (schema, table))]


def fill(connection: Connection, schema: str, table: str) -> None:
    """One row of tenant a and three of b, whatever the table's checks, keys and triggers want of them; to be rolled back."""
    name = sql.Identifier(schema, table)
    constraints = (
        "select conname from pg_constraint where conrelid = format('%%I.%%I', %s::text, %s::text)::regclass and contype in ('c', 'f')"
    )
    for (constraint,) in connection.execute(constraints, (schema, table)).fetchall():
        connection.execute(sql.SQL("alter table {} drop constraint {}").format(name, sql.Identifier(constraint)))
    connection.execute(sql.SQL("alter table {} disable trigger all").format(name))
    connection.execute(sql.SQL("delete from {}").format(name))
    kinds = columns(connection, schema, table)
    for tenant, number in (("ct_a", 1), ("ct_b", 2), ("ct_b", 3), ("ct_b", 4)):
        values = [f"'{tenant}'" if column == "tenant_id" else _VALUE[kind].format(tenant=tenant, n=number) for column, kind in kinds]
        names = sql.SQL(", ").join(sql.Identifier(column) for column, _ in kinds)
        connection.execute(
            sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(name, names, sql.SQL(", ".join(values)))
        )  # type: ignore[arg-type]
    connection.execute(sql.SQL("analyze {}").format(name))


class Looking:
    """A tenant's role in a transaction that is rolled back."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def rows(self, query: str) -> list[tuple[Any, ...]] | None:
        """What it sees; None where it is not allowed to look. Any other error is news of others and fails the test."""
        try:
            with self.connection.transaction():
                cursor = self.connection.execute(query)  # type: ignore[arg-type]
                return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]
        except InsufficientPrivilege:
            return None


def as_role(connection: Connection, role: str, look: Callable[[Looking], None]) -> None:
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    look(Looking(connection))
    connection.execute("reset role")


def test_every_table_of_a_tenant_shows_each_role_its_own_rows_and_tells_nothing_of_others(state: State) -> None:
    seen: dict[str, set[str]] = {role: set() for role in ROLES}
    with state.owner() as connection:
        for schema, table in tables(connection, with_tenant=True):
            place = f"{schema}.{table}"
            with connection.transaction(force_rollback=True):
                fill(connection, schema, table)
                kinds = columns(connection, schema, table)
                for role in ROLES:

                    def look(eye: Looking, role: str = role, place: str = place, kinds: list[tuple[str, str]] = kinds) -> None:
                        own = eye.rows(f"select tenant_id from {place}")
                        assert own in (None, [], [("ct_a",)]), (role, place)
                        if own:
                            seen[role].add(place)
                        # by count, by an error that only another's row would cause, by where a row lies, by statistics
                        assert eye.rows(f"select count(*) from {place}") in (None, [(len(own or []),)])
                        fails = f"select 1 / (case when tenant_id = 'ct_b' then 0 else 1 end) from {place}"
                        fails = f"select 1 from {place} where case when tenant_id = 'ct_a' then false else tenant_id::int > 0 end"
                        assert eye.rows(fails) in (None, [])
                        for hidden in ("ctid", "xmin", "tableoid"):
                            assert eye.rows(f"select {hidden} from {place}") is None, (role, place, hidden)
                        statistics = "select count(*) from pg_stats where (schemaname || '.' || tablename) = '{}'"
                        assert eye.rows(statistics.format(place)) == [(0,)]
                        # by writing: refused before any key, check or trigger could speak
                        names = ", ".join(f'"{column}"' for column, _ in kinds)
                        values = ", ".join("'ct_b'" if column == "tenant_id" else "null" for column, _ in kinds)
                        for statement in (
                            f"insert into {place} ({names}) values ({values})",
                            f"insert into {place} ({names}) values ({values}) on conflict do nothing",
                            f"update {place} set tenant_id = 'ct_b'",
                            f"delete from {place}",
                            f"truncate {place}",
                            f"lock table {place} in exclusive mode",
                            f"select 1 from {place} for update",
                            f"alter table {place} disable row level security",
                        ):
                            assert eye.rows(statement) is None, (role, statement)

                    as_role(connection, f"flexoraa_{role}_ct_a", look)
    assert seen["viewer"] > {"serving.ct_mart", "ops.tenants", "ops.reference"}
    assert seen["operator"] - seen["viewer"] >= {"ops.outbox", "ops.quarantine"}
    assert seen["manager"] - seen["operator"] >= {"ops.audit_log", "ops.identity_decisions", "ops.experiment_verdicts"}
    assert not {place for place in seen["admin"] if place.startswith("vault.")}


def test_what_has_no_tenant_and_every_sequence_is_closed_to_tenants(state: State) -> None:
    with state.owner() as connection:
        found = tables(connection, with_tenant=False)
        assert ("ops", "segments") in found and ("ops", "alembic_version") in found
        relations = [f'"{schema}"."{table}"' for schema, table in found]
        query = "select format('%I.%I', schemaname, sequencename) from pg_sequences where schemaname = any(%s)".replace("%I", "%%I")
        sequences = [str(row[0]) for row in connection.execute(query, (list(SCHEMAS),))]
        assert sequences

        def look(eye: Looking) -> None:
            for relation in relations:
                assert eye.rows(f"select 1 from {relation}") is None, relation
            for sequence in sequences:
                assert eye.rows(f"select last_value from {sequence}") is None, sequence
                assert eye.rows(f"select nextval('{sequence}')") is None, sequence

        as_role(connection, "flexoraa_admin_ct_a", look)
        connection.rollback()


def test_a_table_that_somebody_adds_without_a_policy_is_seen_by_nobody_and_named_by_the_catalogue(state: State) -> None:
    query = """
        select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname in ('ops', 'serving', 'vault') and not (
            c.relrowsecurity and c.relforcerowsecurity and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant_rows')
        ) and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
    """
    with state.owner() as connection, connection.transaction(force_rollback=True):
        assert connection.execute(query).fetchall() == []
        connection.execute("create table ops.ct_forgotten (tenant_id text)")
        assert connection.execute(query).fetchall() == [("ops.ct_forgotten",)]
        as_role(connection, "flexoraa_admin_ct_a", lambda eye: _none(eye.rows("select 1 from ops.ct_forgotten")))


def _none(found: object) -> None:
    assert found is None


def test_no_role_of_a_tenant_may_become_another_or_run_what_the_platform_runs(state: State) -> None:
    with state.owner() as connection, connection.transaction(force_rollback=True):
        connection.execute("create role ct_login in role flexoraa_manager_ct_a")
        connection.execute("set session authorization ct_login")
        for role in ("flexoraa_admin_ct_a", "flexoraa_viewer_ct_b", "flexoraa_tenant_ct_b", "flexoraa_service"):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        for call in ("ops.make_tenant_roles('ct_c')", "ops.protect_table('ops', 'tenants')", "ops.let_tenants_read('vault', 'points')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"select {call}")  # type: ignore[arg-type]
