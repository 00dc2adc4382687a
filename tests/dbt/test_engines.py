"""One model tree, three engines, the same rows (law 4): every mart, by its ordered checksum, against DuckDB.

`make engines` runs the whole of tests/dbt on Postgres and on Spark; here is what compares them. Without `--engine` it is Postgres alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.project import PROJECT
from orchestration.resources.fingerprint import fingerprint, lines
from orchestration.resources.warehouse import Warehouse, WarehouseError
from orchestration.resources.warehouse_postgres import PostgresWarehouse, warehouse_url
from tests.dbt import engines, worker
from tests.dbt.conftest import LEADS, SEED
from tests.dbt.engines import MODELS_ONLY
from tests.dbt.histories import AS_OF, history, told
from tests.dbt.warehouse import Rows, tables, write


@pytest.fixture(scope="module")
def other(engine: str) -> Iterator[engines.Installation]:
    """The engine that is compared."""
    if chosen := engines.chosen():
        yield chosen
    else:
        with engines.installation("postgres") as made:
            yield made


@pytest.fixture(scope="module")
def rows(engine: str) -> Rows:
    """A history of all tenants: the suite's own where an engine was asked for, else a small one."""
    made, seed = (history(SEED, LEADS), SEED) if engine != "duckdb" else (history(7, 12), 1)
    return told(made, seed) | {"run": [{"as_of": AS_OF}]}


def difference(duckdb: pa.Table, other: pa.Table) -> list[str]:
    """What only one of two tables has, to be read by a person."""
    ours, theirs = lines(duckdb), lines(other)
    return [f"duckdb {line}" for line in ours if line not in set(theirs)][:3] + [
        f"other {line}" for line in theirs if line not in set(ours)
    ][:3]


def test_every_mart_has_the_same_rows_as_on_duckdb(rows: Rows, other: engines.Installation, tmp_path: Path) -> None:
    write(tmp_path, tmp_path / "warehouse.duckdb", rows)
    worker.invoke(tmp_path / "warehouse.duckdb", "build", *MODELS_ONLY)
    duckdb = Warehouse(tmp_path / "warehouse.duckdb", tmp_path, tmp_path)
    other.build(tmp_path, tables(rows), *MODELS_ONLY)
    ours, theirs = duckdb.read(duckdb.names()), other.warehouse.read(other.warehouse.names())
    assert ours.keys() == theirs.keys()
    assert not {mart: difference(ours[mart], theirs[mart]) for mart in ours if fingerprint(ours[mart]) != fingerprint(theirs[mart])}
    assert [mart for mart, table in ours.items() if table.num_rows == 0] == [], "equal because empty"
    assert other.warehouse.columns() == duckdb.columns()
    assert other.warehouse.row_counts() == duckdb.row_counts()


def test_a_checksum_tells_values_apart_and_not_how_they_are_written() -> None:
    def of(*values: Any) -> str:
        return fingerprint(pa.table({"a": pa.array(values)})).checksum

    assert of(0.1 + 0.2, None) == of(None, 0.3)
    assert of(1.00000001) != of(1.0)
    assert of(None) != of("") != of("-")
    assert of(2**62) != of(2**62 + 1)
    assert fingerprint(pa.table({"a": [1], "b": [2]})) == fingerprint(pa.table({"b": pa.array([2], pa.int32()), "a": [1]}))
    moment = pa.array([1_000_000], pa.timestamp("us", tz="UTC"))
    assert fingerprint(pa.table({"a": moment})) == fingerprint(pa.table({"a": moment.cast(pa.timestamp("us", tz="Asia/Kolkata"))}))
    assert fingerprint(pa.table({"a": moment})) != fingerprint(pa.table({"a": pa.array([1_000_001], pa.timestamp("us", tz="UTC"))}))


def test_differences_between_engines_are_in_one_file() -> None:
    """Nothing but macros/engine.sql asks which engine it is on; models least of all."""
    asking = re.compile(r"target\s*\.|adapter\.type|adapter\.dispatch|\b(duckdb|postgres|spark|default)__")
    files = [path for part in ("models", "macros", "tests", "seeds") for path in (PROJECT / part).rglob("*") if path.is_file()]
    found = {path.name: asking.findall(path.read_text()) for path in [*files, PROJECT / "dbt_project.yml"]}
    # a model's schema is told by the target's default where its layer names none
    assert {name for name, words in found.items() if words} == {"engine.sql", "generate_schema_name.sql"}
    assert "target.type" not in (PROJECT / "macros" / "generate_schema_name.sql").read_text()


def test_every_name_fits_postgres() -> None:
    """Which takes 63 characters; a unit test becomes a table there."""
    named = re.compile(r"^ *- name: (\w+)$", re.MULTILINE)
    names = [name for path in (PROJECT / "models").rglob("*.yml") for name in named.findall(path.read_text())]
    assert len(names) > 500
    assert [name for name in names if len(name) > 63] == []


@pytest.fixture
def lake(engine: str, other: engines.Installation, rows: Rows) -> Iterator[Path]:
    """The lake of a Postgres installation as last loaded: messages in one file."""
    if other.settings.engine != "postgres":
        pytest.skip("loading is of Postgres alone: Spark reads the lake's files where they lie")
    yield other.settings.lake / "messages"
    for path in (other.settings.lake / "messages").glob("*/more*.parquet"):
        path.unlink()


def asked(other: engines.Installation, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query, as the owner."""
    with psycopg.connect(warehouse_url(other._state_url)) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_only_new_and_changed_files_are_loaded_and_what_is_gone_goes(lake: Path, other: engines.Installation) -> None:
    first = lake / "event_date=2026-01-01" / "rows.parquet"
    table = pq.read_table(first)
    files = "select file_id, count(*) from lake.messages group by 1 order by 1"
    other.warehouse.prepare()
    [(whole, loaded)] = asked(other, files)
    assert loaded == table.num_rows

    more = lake / "event_date=2026-01-01" / "more.parquet"  # a file of before columns were added
    pq.write_table(table.slice(0, 10).drop_columns(["template_name", "referral_id"]), more)
    other.warehouse.prepare()
    old, (added, count) = asked(other, files)
    assert (old, count) == ((whole, loaded), 10)
    assert asked(other, f"select count(*) from lake.messages where file_id = {added} and template_name is null") == [(10,)]

    pq.write_table(table.slice(0, 7), more)
    other.warehouse.prepare()
    old, (changed, count) = asked(other, files)
    assert (old, count) == ((whole, loaded), 7)
    assert changed > added

    other.warehouse.prepare()
    assert asked(other, files) == [(whole, loaded), (changed, 7)]

    more.unlink()
    other.warehouse.prepare()
    assert asked(other, files) == [(whole, loaded)]


def test_every_value_of_the_lake_arrives_as_it_was(lake: Path, other: engines.Installation) -> None:
    table = pq.read_table(lake / "event_date=2026-01-01" / "rows.parquet").slice(0, 3)
    odd = ['a,"b"\n\r\t\\.\0', "", None]
    table = table.set_column(table.schema.get_field_index("template_name"), "template_name", pa.array(odd))
    sealed = [b'\x00\xff\\x,"\n', b"", None]
    table = table.set_column(table.schema.get_field_index("text_enc"), "text_enc", pa.array(sealed, pa.binary()))
    pq.write_table(
        table.set_column(table.schema.get_field_index("event_id"), "event_id", pa.array(["1", "2", "3"])),
        lake / "event_date=2026-01-01" / "more2.parquet",
    )
    other.warehouse.prepare()
    found = asked(other, "select template_name, text_enc from lake.messages where event_id in ('1', '2', '3') order by event_id")
    assert found == list(zip(['a,"b"\n\r\t\\.\ufffd', "", None], sealed, strict=True))  # no zero character in Postgres


def test_a_query_reads_and_nothing_else(other: engines.Installation) -> None:
    if other.settings.engine == "spark":
        pytest.skip("tests/e2e/test_engines.py asks Spark: each question starts Java")
    query = other.warehouse.query
    assert query("select 1 as a, 'x' as b, null as c, timestamptz '2026-01-01 00:00:00.000001Z' as d;").num_rows == 1
    for statement in (
        "insert into marts.dim_leads default values", "drop table marts.dim_leads", "select 1; drop table marts.dim_leads", "commit",
        "copy marts.dim_leads to program 'cat'", "select * from vault.keys", "select pg_read_file('/etc/passwd')", "selec 1",
    ):  # fmt: skip
        with pytest.raises(WarehouseError):
            query(statement)
    assert other.warehouse.row_counts()["dim_leads"] > 0


def test_a_login_that_is_no_superuser_needs_the_right_to_make_a_database_and_is_told_so(rows: Rows) -> None:
    with engines.installation("postgres") as made:
        with pytest.raises(WarehouseError, match="no warehouse yet"):
            made.warehouse.names()
        url = made._state_url
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("create role plain login; grant flexoraa_service to plain")
            plain = PostgresWarehouse(url.replace("flexoraa@", "plain@"), made.settings.lake, made.settings.reference)
            with pytest.raises(WarehouseError, match=r"alter role … createdb.*create database \"postgres_warehouse\" template template0"):
                plain.prepare()
            owner.execute("alter role plain createdb")
        for (schema, table), each in tables(rows).items():
            if schema == "reference":
                pq.write_table(each, made.settings.reference / f"{table}.parquet")
        plain.prepare()
        assert plain.query("select count(*) as n from reference.run").to_pylist() == [{"n": 1}]
        with psycopg.connect(url) as owner:
            owner.execute("create role outsider login")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(warehouse_url(url.replace("flexoraa@", "outsider@")))
