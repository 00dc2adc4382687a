"""What files of the lake say of themselves: older ones are read, those that today's code would misread are refused before anything runs."""

import typing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.columns import columns
from core.events import EVENT_TYPES, SCHEMA_VERSION, Event, Message
from orchestration.resources.arrow import TYPES, schema_of, table_of
from orchestration.resources.compaction import compact
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_files import LakeError, LakeFiles
from orchestration.resources.lake_schema import footer, readable
from orchestration.resources.lake_views import lake_query
from orchestration.resources.warehouse import Warehouse
from tests.core.test_rows import breaking
from tests.dbt import worker
from tests.dbt.warehouse import write
from tests.orchestration.lakes import AT, by_duckdb, by_polars, row, small_files, take_in, values_of

PLACE = f"event_date={AT.date()}"


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    made = FolderLake(tmp_path / "lake")
    made.prepare()
    return made


def earlier(event_type: type[Event], *without: str) -> type[Event]:
    """The Struct as it was before it had some of its fields."""
    own = [name for name in event_type.__struct_fields__ if name not in (*Event.__struct_fields__, *without)]
    annotations = typing.get_type_hints(event_type, include_extras=True)
    defaults = {field.name: field.default for field in msgspec.structs.fields(event_type)}
    fields: list[Any] = [
        (name, annotations[name]) if defaults[name] is msgspec.NODEFAULT else (name, annotations[name], defaults[name]) for name in own
    ]
    return msgspec.defstruct(
        event_type.__name__, fields, bases=(Event,), namespace={"table": event_type.table}, module=event_type.__module__, kw_only=True
    )


def put(lake: FolderLake, event_type: type[Event], schema: pa.Schema, name: str = "f" * 32, **values: Any) -> Path:
    """A file of one row of a table, with another schema."""
    cells = {each.name: each for each in columns(event_type)}
    some = {pa.string(): "x", pa.int64(): 1, pa.float64(): 0.5, pa.bool_(): True, pa.binary(): b"x", pa.date32(): AT.date()}
    made = {
        field.name: [values.get(field.name, None if field.name in cells and field.nullable else some.get(field.type, AT))]
        for field in schema
    }
    path = lake.folder / event_type.table / PLACE / f"{name}-00000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({field.name: pa.array(made[field.name], field.type) for field in schema}).cast(schema), path)
    return path


def stamped(schema: pa.Schema, **changes: str) -> pa.Schema:
    """With other metadata; None takes a key away."""
    return schema.with_metadata({**schema.metadata, **{f"flexoraa.{name}".encode(): value.encode() for name, value in changes.items()}})


def test_every_file_says_its_table_its_schema_version_and_what_wrote_it(lake: FolderLake) -> None:
    small_files(lake, range(3))
    segments = lake.files.live("messages")
    list(compact(lake.files, 32 << 20, 2))
    files = [
        (table, file)
        for each in EVENT_TYPES
        for table in [each.table]
        for file in [*lake.files.live(table), *(segments if table == "messages" else ())]
    ]
    assert {file.is_merged for _, file in files} == {True, False}
    for table, file in files:
        said = pq.read_metadata(file.path).metadata
        wanted = {
            b"flexoraa.schema_version": str(SCHEMA_VERSION).encode(),
            b"flexoraa.table": table.encode(),
            b"flexoraa.writer": b"flexoraa 0.1.0",
        }
        assert {key: value for key, value in said.items() if key.startswith(b"flexoraa.")} == wanted
        assert footer(file).columns == {each.name: each.type for each in columns(next(each for each in EVENT_TYPES if each.table == table))}


def test_files_of_before_a_column_was_added_are_read_with_nulls_by_every_reader(lake: FolderLake, tmp_path: Path) -> None:
    """Written by the Struct as it was, of two ages and without metadata; by polars, DuckDB, the views and dbt's staging, then merged."""
    old, older = earlier(Message, "action_id"), earlier(Message, "action_id", "referral_id", "text")
    assert schema_of(old).names == [name for name in schema_of(Message).names if name != "action_id"]
    for n, each in enumerate((old, older)):
        made = [
            row(each, event_id=f"old-{n}-{k}", segment_id="s", occurred_at=AT + timedelta(hours=k), person_id="p", tenant_id="t")
            for k in range(2)
        ]
        table = table_of(each, values_of(each, made)).replace_schema_metadata(None)
        path = lake.folder / "messages" / PLACE / f"{n:032x}-00000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    told = take_in(lake, "new", days=1)
    lake.prepare()
    wanted = {f"old-{n}-{k}": (None, None, "p") for n in range(2) for k in range(2)}

    def check_all() -> None:
        assert by_polars(lake.folder).total() == by_duckdb(lake.folder).total() == told.total() + 4
        with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
            connection.execute(f"create or replace view lake.messages as {lake_query(lake.files, Message)}")
            found = connection.execute(
                "select event_id, action_id, referral_id, person_id from lake.messages where segment_id = 's'"
            ).fetchall()
            names = [name for name, *_ in connection.execute("describe lake.messages").fetchall()]
        assert {name: tuple(values) for name, *values in found} == wanted
        assert names == [each.name for each in columns(Message)]

    write(tmp_path, tmp_path / "warehouse.duckdb", {"run": [{"as_of": AT + timedelta(days=9)}]})
    check_all()
    worker.invoke(tmp_path / "warehouse.duckdb", "run", "--select", "stg_lake__messages")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        found = connection.execute(
            "select event_id, action_id, referral_id, person_id from staging.stg_lake__messages where tenant_id = 't'"
        ).fetchall()
    assert {name: tuple(values) for name, *values in found} == wanted
    list(compact(lake.files, 32 << 20, 2))
    assert {footer(file).version for file in lake.files.live("messages")} == {SCHEMA_VERSION}
    check_all()


def without(schema: pa.Schema, name: str) -> pa.Schema:
    return schema.remove(schema.get_field_index(name))


def with_type(schema: pa.Schema, name: str, kind: pa.DataType) -> pa.Schema:
    place = schema.get_field_index(name)
    return schema.set(place, schema.field(name).with_type(kind))


MESSAGES = schema_of(Message)
REFUSED = {
    "newer version": (stamped(MESSAGES, schema_version=str(SCHEMA_VERSION + 1)), "this version knows schema versions up to", "install"),
    "newer column": (MESSAGES.append(pa.field("mood", pa.string())), "it has a column mood that this version does not know", "install"),
    "changed type": (with_type(MESSAGES, "person_id", pa.int64()), "its column person_id is int and must be text", "runbook"),
    "unheard type": (with_type(MESSAGES, "occurred_at", pa.timestamp("ms")), r"its column occurred_at is timestamp\[ms\] and must be time", "runbook"),
    "needed column": (without(MESSAGES, "channel"), "it has no column channel, which may not be empty", "runbook"),
    "other table": (stamped(MESSAGES, table="payments"), "it is of the table payments and lies with messages", "move it back"),
    "no version": (stamped(MESSAGES, schema_version="two"), "this version knows schema versions up to", "install"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_would_be_misread_is_refused_before_anything_runs(lake: FolderLake, tmp_path: Path, kind: str) -> None:
    schema, why, what_to_do = REFUSED[kind]
    path = put(lake, Message, schema, occurred_at=AT if kind != "unheard type" else AT.replace(tzinfo=None))
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", lake.folder, tmp_path)
    readers: list[Callable[[], object]] = [
        lake.prepare,  # the first step of a run
        warehouse.prepare,
        warehouse.lake_counts,
        lambda: lake.sightings(AT),
        lambda: list(lake.compact(2)),
    ]
    for read in readers:
        with pytest.raises(LakeError, match=rf"{path}.*{why}.*{what_to_do}"):
            read()
    assert {each for each in lake.folder.rglob("*.parquet") if pq.read_metadata(each).num_rows} == {path}


def test_a_damaged_file_is_refused(lake: FolderLake) -> None:
    path = put(lake, Message, MESSAGES)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LakeError, match=f"{path} is no whole Parquet file .*: put it back from a backup"):
        lake.prepare()


def test_an_empty_file_of_another_schema_is_written_anew(lake: FolderLake) -> None:
    path = lake.folder / "messages" / "event_date=1970-01-01" / "schema.parquet"
    pq.write_table(without(MESSAGES, "channel").empty_table(), path)
    lake.prepare()
    assert pq.read_schema(path).equals(MESSAGES, check_metadata=True)
    assert by_duckdb(lake.folder) == {}


def test_a_file_of_an_older_version_with_a_column_that_is_no_more_is_read_but_not_written_anew(
    lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(lake, Message, MESSAGES.append(pa.field("mood", pa.string())), event_id="old", mood="good")
    for name in range(3):
        take_in(lake, name, days=1)
    monkeypatch.setattr("orchestration.resources.lake_schema.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert by_polars(lake.folder) == by_duckdb(lake.folder)
    assert "old" in {event for _, _, event in by_polars(lake.folder)}
    assert list(lake.compact(2))
    assert pq.read_table(old)["mood"].to_pylist() == ["good"]
    assert old in {file.path for file in lake.files.live("messages")}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_the_snapshot_calls_additive_can_be_read_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A file of the schema of then, read now: the guard over `core/events.py` and the readers agree."""
    event_type = data.draw(st.sampled_from(EVENT_TYPES))
    now = {each.name: f"{each.type}{' null' if each.nullable else ''}" for each in columns(event_type)}
    then = dict(now)
    for name in data.draw(st.lists(st.sampled_from(sorted(now)), max_size=3, unique=True)):
        change = data.draw(st.sampled_from(["absent", "other type", "renamed"]))
        kind = then.pop(name)
        if change == "other type":
            then[name] = data.draw(st.sampled_from(sorted(set(TYPES) - {kind.split()[0]})))
        elif change == "renamed":
            then[f"{name}_once"] = kind
    folder = tmp_path_factory.mktemp("lake")
    fields = [pa.field(name, TYPES[kind.split()[0]]) for name, kind in then.items()]  # type: ignore[index]
    schema = pa.schema(fields, schema_of(event_type).metadata)
    path = put(FolderLake(folder), event_type, schema)
    is_read = True
    try:
        readable(event_type, LakeFiles(folder).live(event_type.table))
    except LakeError as error:
        assert str(path) in str(error)
        is_read = False
    assert is_read == (not breaking({event_type.table: then}, {event_type.table: now}))
