"""Law 7: PostgreSQL shows a tenant its own rows and nobody else any."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import text

from orchestration.migrations import FOLDER, head
from orchestration.resources.state import State, protect_table

ONE, OTHER = "flexoraa_tenant_rls_one", "flexoraa_tenant_rls_other"


@pytest.fixture(scope="module", autouse=True)
def rows(state: State) -> Iterator[None]:
    """Two tenants with a row each in `ops` and in a run-time table of `serving`; a role with both, one with none."""
    with state.owner() as connection:
        for role in (ONE, OTHER):
            connection.execute(sql.SQL("create role {} in role flexoraa_tenants").format(sql.Identifier(role)))
        connection.execute(sql.SQL("create role rls_both in role {}, {}").format(sql.Identifier(ONE), sql.Identifier(OTHER)))
        connection.execute("create role rls_nobody in role flexoraa_tenants")
    with state.psycopg() as connection:
        for tenant in ("rls_one", "rls_other"):
            connection.execute("insert into ops.tenants values (%s, %s, now(), '')", (tenant, tenant))
        connection.execute("create table serving.rls_leads (tenant_id text not null, lead_id text)")
        protect_table(connection, "serving", "rls_leads")
        connection.execute("insert into serving.rls_leads values ('rls_one', 'a'), ('rls_other', 'b'), ('', 'c')")
    yield
    with state.psycopg() as connection:
        connection.execute("drop table serving.rls_leads")
        connection.execute("delete from ops.tenants where tenant_id like 'rls%'")


def seen(state: State, role: str, query: str) -> list[tuple[object, ...]]:
    with state.owner() as connection:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        return connection.execute(query).fetchall()  # type: ignore[arg-type]  # the tests' own text


@pytest.mark.parametrize(
    ("role", "leads"),
    [(ONE, {"a"}), (OTHER, {"b"}), ("rls_both", {"a", "b"}), ("rls_nobody", set()), ("flexoraa_tenants", set())],
)
def test_who_sees_what(state: State, role: str, leads: set[str]) -> None:
    assert {row[0] for row in seen(state, role, "select lead_id from serving.rls_leads")} == leads
    assert {row[0] for row in seen(state, role, "select tenant_id from ops.tenants where tenant_id like 'rls%'")} == {
        {"a": "rls_one", "b": "rls_other"}[lead] for lead in leads
    }


def test_the_platform_sees_all_by_a_policy_and_not_as_superuser(state: State) -> None:
    with state.begin() as connection:
        is_super = connection.execute(text("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")).scalar()
        assert is_super is False
        assert connection.execute(text("select count(*) from serving.rls_leads")).scalar() == 3
    with state.psycopg() as raw:
        assert raw.execute("select current_user, count(*) from serving.rls_leads").fetchone() == ("flexoraa_service", 3)


def test_the_role_outlives_a_rollback(state: State) -> None:
    with pytest.raises(ZeroDivisionError), state.begin() as connection:
        connection.execute(text("select 1"))
        raise ZeroDivisionError
    for _ in range(3):
        with state.begin() as connection:
            assert connection.execute(text("select current_user")).scalar() == "flexoraa_service"


@pytest.mark.parametrize("table", ["points", "keys", "secrets", "people"])
def test_a_tenant_cannot_even_look_at_the_vault(state: State, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(state, ONE, f"select * from vault.{table}")


@pytest.mark.parametrize(
    "statement",
    [
        "insert into serving.rls_leads values ('rls_one', 'd')",
        "update serving.rls_leads set lead_id = 'e'",
        "delete from ops.tenants",
    ],
)
def test_a_tenant_only_reads(state: State, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(state, ONE, statement)


@pytest.mark.parametrize("table", ["ops.segments", "ops.publications"])
def test_what_has_no_tenant_is_the_platforms(state: State, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(state, ONE, f"select * from {table}")


def test_every_table_with_a_tenant_is_forced_under_policies(state: State) -> None:
    query = """
        select n.nspname || '.' || c.relname, c.relrowsecurity and c.relforcerowsecurity,
            (select count(*) from pg_policy p where p.polrelid = c.oid)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname in ('ops', 'vault', 'serving')
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
    """
    with state.owner() as connection:
        found = connection.execute(query).fetchall()
    assert len(found) >= 11
    assert [row for row in found if not (row[1] and row[2] == 2)] == []


def test_the_head_is_what_alembic_says(state: State) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [head()]
    assert state.migrate() is False
