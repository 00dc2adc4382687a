"""Publishing: one moment for every reader, each tenant its own rows, and every value as it was."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from orchestration.resources.clock import FixedClock
from orchestration.resources.serving import PostgresPublisher
from orchestration.resources.state import State
from orchestration.resources.warehouse import Warehouse, WarehouseError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EXACT = datetime(2026, 11, 22, 11, 59, 59, 123457, tzinfo=UTC)
Publish = Callable[..., dict[str, int]]


@pytest.fixture
def publish(tmp_path: Path, state: State) -> Iterator[Publish]:
    """Publish marts given as `name=SELECT`; those are dropped afterwards."""
    warehouse, made = tmp_path / "warehouse.duckdb", set()

    def run(at: datetime = NOW, **marts: str) -> dict[str, int]:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'; create schema if not exists marts")
            for mart, query in marts.items():
                connection.execute(f"create or replace table marts.{mart} as {query}")
        made.update(marts)
        return dict(PostgresPublisher(state, Warehouse(warehouse, tmp_path, tmp_path), FixedClock(at)).publish(list(marts), at))

    yield run
    with state.psycopg() as connection:
        for mart in made:
            connection.execute(sql.SQL("drop table if exists serving.{}").format(sql.Identifier(mart)))


def rows(state: State, query: str) -> list[Any]:
    with state.psycopg() as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_every_value_survives(publish: Publish, state: State) -> None:
    publish(
        pub_types="select 't1' as tenant_id, 'a' as action_id, cast(null as text) as nothing, '' as empty, timestamptz '2026-11-22 "
        "11:59:59.123457+00' as moment, timestamptz '1969-12-31 23:59:59.999999+00' as early, true as yes, false as no, "
        "cast(null as boolean) as maybe, cast(9223372036854775807 as bigint) as large, cast(-9223372036854775808 as bigint) as small, "
        "cast(7 as integer) as seven, cast(0.1 as double) as tenth, 'nan'::double as nan, '-inf'::double as low, 5e-324::double as tiny, "
        "date '2026-02-28' as day, sum(cast(9223372036854775807 as bigint)) as huge, cast(1.50 as decimal(9, 2)) as price, "
        "e'a,\"b\"\\n\\r\\t\\\\.' as odd, '\\.' as mark, 'NULL' as word, ' x ' as spaces, 'नमस्ते 🙂' as text "
    )
    [row] = rows(state, "select * from serving.pub_types")
    found = dict(
        zip([name for (name,) in rows(state, "select attname from pg_attribute where attrelid = 'serving.pub_types'::regclass and attnum > 0 order by attnum")], row, strict=True)
    )  # fmt: skip
    assert math.isnan(found.pop("nan"))
    assert {key: str(value) for key, value in found.items() if key in {"huge", "price"}} == {
        "huge": "9223372036854775807",
        "price": "1.50",
    }
    assert {key: value for key, value in found.items() if key not in {"huge", "price"}} == {
        "tenant_id": "t1", "action_id": "a", "nothing": None, "empty": "", "moment": EXACT,
        "early": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "yes": True, "no": False, "maybe": None,
        "large": 2**63 - 1, "small": -(2**63), "seven": 7, "tenth": 0.1, "low": -math.inf, "tiny": 5e-324, "day": date(2026, 2, 28),
        "odd": 'a,"b"\n\r\t\\.', "mark": "\\.", "word": "NULL", "spaces": " x ", "text": "नमस्ते 🙂",
    }  # fmt: skip


CELLS = st.tuples(st.sampled_from(["t1", "t2"]), st.none() | st.text('a,"\n\\é ', max_size=3), st.none() | st.integers(-2, 2))


@given(st.lists(st.lists(CELLS, max_size=6, unique=True), min_size=2, max_size=3))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_after_any_publications_the_last_one_is_what_is_served(
    publish: Publish, state: State, histories: list[list[tuple[Any, ...]]]
) -> None:
    for history in histories:
        listed = ", ".join(f"({', '.join(_literal(cell) for cell in row)})" for row in history) or "('', '', 0)"
        counts = publish(
            pub_law=f"select tenant_id, cast(word as text) as word, cast(number as bigint) as number from (values {listed}) as v (tenant_id, word, number) "
            f"where {bool(history)}"
        )
        assert counts == {"pub_law": len(history)}
        found = rows(state, "select tenant_id, word, number from serving.pub_law")
        assert sorted(map(repr, found)) == sorted(map(repr, history))


def _literal(cell: object) -> str:
    return "null" if cell is None else str(cell) if isinstance(cell, int) else "'" + str(cell).replace("'", "''") + "'"


def test_readers_see_no_missing_table_and_no_mix_of_two_publications(publish: Publish, state: State) -> None:
    def generation(number: int) -> dict[str, str]:
        query = f"select 't' as tenant_id, 'l' || i as lead_id, cast({number} as bigint) as g from range({400 + number}) as r (i)"
        return {"pub_b": query, "pub_a": query}

    publish(**generation(0))
    until = threading.Event()
    problems: list[str] = []
    seen: dict[str, set[int]] = {"statement": set(), "transaction": set(), "backwards": set()}
    one = "select min(a.g), max(a.g), (select max(g) from serving.pub_b), (select count(*) from serving.pub_b), count(*) from serving.pub_a as a"
    other = one.replace("pub_a", "pub_x").replace("pub_b", "pub_a").replace("pub_x", "pub_b")

    def check(kind: str, low: int, *rest: int) -> None:
        seen[kind].add(low)
        if rest != (low, low, 400 + low, 400 + low):
            problems.append(f"{kind}: {low} {rest}")

    def read(kind: str) -> None:
        try:
            with psycopg.connect(state.libpq_url, autocommit=True) as connection:
                connection.execute("set role flexoraa_service")
                while not until.is_set():
                    if kind == "transaction":
                        with connection.transaction():
                            connection.execute("set transaction isolation level repeatable read")
                            first = connection.execute("select min(g), max(g), count(*) from serving.pub_a").fetchone() or ()
                            second = connection.execute("select max(g), count(*) from serving.pub_b").fetchone() or ()
                        check(kind, first[0], first[1], second[0], second[1], first[2])
                    else:
                        check(kind, *(connection.execute(one if kind == "statement" else other).fetchone() or ()))
        except psycopg.Error as error:
            problems.append(f"{kind}: {error}")

    readers = [threading.Thread(target=read, args=(kind,)) for kind in seen]
    for each in readers:
        each.start()
    for number in range(1, 9):
        publish(**generation(number))
    until.set()
    for each in readers:
        each.join()
    assert problems == []
    assert all(len(each) >= 3 for each in seen.values()), seen  # they did read while it changed


def test_a_reader_that_leaves_its_transaction_open_holds_up_nobody(publish: Publish, state: State) -> None:
    publish(pub_a="select 't' as tenant_id, 1 as g")
    with state.psycopg() as idle:
        assert idle.execute("select g from serving.pub_a").fetchall() == [(1,)]
        started = time.monotonic()
        publish(pub_a="select 't' as tenant_id, 2 as g")
        assert time.monotonic() - started < 5
        assert rows(state, "select g from serving.pub_a") == [(2,)]


def test_a_tenant_sees_its_own_rows_alone_also_after_a_change_of_columns(publish: Publish, state: State) -> None:
    with state.owner() as connection:
        for tenant in ("pubone", "pubtwo"):
            connection.execute(f"create role flexoraa_tenant_{tenant} nologin in role flexoraa_tenants")  # type: ignore[arg-type]
    try:
        for columns in ("i as score", "i as score, 'x' as more"):
            publish(pub_rls=f"select case when i < 3 then 'pubone' else 'pubtwo' end as tenant_id, {columns} from range(5) as r (i)")
            for tenant, count in (("pubone", 3), ("pubtwo", 2)):
                with psycopg.connect(state.libpq_url) as connection:
                    connection.execute(f"set role flexoraa_tenant_{tenant}")  # type: ignore[arg-type]
                    found = connection.execute("select tenant_id, count(*) from serving.pub_rls group by 1").fetchall()
                    assert found == [(tenant, count)]
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute("delete from serving.pub_rls")
        assert len(rows(state, "select from serving.pub_rls")) == 5
    finally:
        with state.owner() as connection:
            for tenant in ("pubone", "pubtwo"):
                connection.execute(f"drop role flexoraa_tenant_{tenant}")  # type: ignore[arg-type]


def test_publishing_the_same_again_writes_no_row_and_notes_the_publication(publish: Publish, state: State) -> None:
    same = "select 't' as tenant_id, 'l' || i as lead_id, i as score, null::text as nothing, '' as empty from range(50) as r (i)"
    publish(pub_same=same)
    before = rows(state, "select ctid, xmin, lead_id from serving.pub_same order by 1")
    later = NOW + timedelta(hours=1)
    assert publish(later, pub_same=f"from ({same}) order by score desc") == {"pub_same": 50}
    assert rows(state, "select ctid, xmin, lead_id from serving.pub_same order by 1") == before
    publish(later, pub_same=same.replace("i as score", "case when i = 7 then 700 else i end as score"))
    after = rows(state, "select ctid, xmin, lead_id from serving.pub_same order by 1")
    assert {lead for *_, lead in set(after) - set(before)} == {"l7"}
    noted = rows(state, "select as_of, published_at, tables from ops.publications where tables ? 'pub_same' order by publication_id")
    assert noted == [(NOW, NOW, {"pub_same": 50}), *[(later, later, {"pub_same": 50})] * 2]


def test_what_cannot_be_published_changes_nothing(publish: Publish, state: State) -> None:
    publish(pub_a="select 't' as tenant_id, 1 as g", pub_b="select 't' as tenant_id, 1 as g")
    with pytest.raises(WarehouseError, match=r"marts.pub_b.g is of type list<.*cast it in its model"):
        publish(pub_a="select 't' as tenant_id, 2 as g", pub_b="select 't' as tenant_id, [1] as g")
    assert rows(state, "select a.g, b.g from serving.pub_a a, serving.pub_b b") == [(1, 1)]


def test_two_publishers_at_once_take_turns(publish: Publish, tmp_path: Path, state: State) -> None:
    publish(pub_a="select 't' as tenant_id, i as g from range(300) as r (i)")
    publisher = PostgresPublisher(state, Warehouse(tmp_path / "warehouse.duckdb", tmp_path, tmp_path), FixedClock(NOW))
    failures: list[Exception] = []
    with state.psycopg() as connection:
        connection.execute("delete from serving.pub_a")
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        try:
            publisher.publish(["pub_a"], NOW)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    assert rows(state, "select count(*), count(distinct g) from serving.pub_a") == [(300, 300)]


def test_senders_and_readers_find_a_row_by_its_tenant_and_id_without_reading_all(publish: Publish, state: State) -> None:
    publish(pub_keys="select 't' as tenant_id, 'a' || i as action_id, 'l' || i as lead_id from range(5000) as r (i)")
    with state.psycopg() as connection:
        connection.execute("analyze serving.pub_keys")
        for key in ("action_id = 'a77'", "lead_id = 'l77'"):
            plan = connection.execute(f"explain select from serving.pub_keys where tenant_id = 't' and {key}").fetchall()  # type: ignore[arg-type]
            assert "Index" in str(plan), plan
