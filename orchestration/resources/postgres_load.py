"""Loading the lake and the reference tables into a warehouse in Postgres, file by file.

Here belongs what is loaded and what is not: `lake.loaded_files` says of every row's file how it looked, so a run reads new and changed
files only, and drops the rows of files that are gone. Not here: what files mean (`lake`, `reference`), what is built on them (dbt).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from core.columns import ColumnType, columns
from orchestration.resources.arrow import schema_of
from orchestration.resources.copying import BATCH_ROWS, copy_in
from orchestration.resources.sources import Source

TYPES: dict[ColumnType, str] = {
    "text": "text",
    "int": "bigint",
    "float": "double precision",
    "bool": "boolean",
    "time": "timestamp with time zone",
    "date": "date",
    "binary": "bytea",
}

MANIFEST = (
    "create table if not exists lake.loaded_files (file_id bigint generated always as identity primary key, "
    "table_name text not null, file text not null, size bigint not null, changed_ns bigint not null, unique (table_name, file))"
)
_FILE_ID = "file_id"
_COLUMNS = (
    "select attname, format_type(atttypid, atttypmod) from pg_attribute "
    "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum"
)
_Look = tuple[int, int]
"""Size in bytes and the time of the last change in nanoseconds: a rewritten file differs in one of them."""


def load(connection: psycopg.Connection, sources: Iterable[Source]) -> dict[str, int]:
    """Bring every table up to its files, in the caller's transaction; says how many files were read by table, where any was."""
    connection.execute(MANIFEST)
    read = {source.name: _load(connection, source) for source in sources}
    return {name: files for name, files in read.items() if files}


def _load(connection: psycopg.Connection, source: Source) -> int:
    target = sql.Identifier(source.schema, source.table)
    if _make(connection, source, target):
        connection.execute("delete from lake.loaded_files where table_name = %s", (source.name,))
    found = {str(path.relative_to(source.folder)): _look(path) for path in source.files}
    select = "select file, size, changed_ns, file_id from lake.loaded_files where table_name = %s"
    known: dict[str, tuple[_Look, int]] = {
        file: ((size, changed), number) for file, size, changed, number in connection.execute(select, (source.name,)).fetchall()
    }
    kept = {file for file, look in found.items() if file in known and known[file][0] == look}
    gone = [number for file, (_, number) in known.items() if file not in kept]
    new = sorted(found.keys() - kept)
    if gone:
        if not kept:
            connection.execute(sql.SQL("truncate {}").format(target))  # the whole table: nothing to vacuum after it
        else:
            connection.execute(sql.SQL("delete from {} where file_id = any(%s)").format(target), (gone,))
        connection.execute("delete from lake.loaded_files where file_id = any(%s)", (gone,))
    if new:
        insert = "insert into lake.loaded_files (table_name, file, size, changed_ns) values (%s, %s, %s, %s) returning file_id"
        numbers = {}
        for file in new:
            row = connection.execute(insert, (source.name, file, *found[file])).fetchone()
            numbers[file] = 0 if row is None else row[0]
        copy_in(connection, target, (batch for file in new for batch in _batches(source, file, numbers[file])))
    if new or gone:
        connection.execute(sql.SQL("analyze {}").format(target))
    return len(new)


def _batches(source: Source, file: str, number: int) -> Iterator[pa.RecordBatch]:
    """A file's rows with the table's columns, in its order: a column that the file has not is null."""
    schema = schema_of(source.struct)
    with pq.ParquetFile(source.folder / file) as parquet:
        present = set(parquet.schema_arrow.names)
        for batch in parquet.iter_batches(BATCH_ROWS, columns=[name for name in schema.names if name in present]):
            arrays = [
                batch.column(field.name).cast(field.type) if field.name in present else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            numbers = pa.repeat(pa.scalar(number, pa.int64()), batch.num_rows)
            yield pa.RecordBatch.from_arrays([*arrays, numbers], names=[*schema.names, _FILE_ID])


def _make(connection: psycopg.Connection, source: Source, target: sql.Identifier) -> bool:
    """Make the table where it is missing or has other columns than the type now has; says whether it did."""
    wanted = [(column.name, TYPES[column.type]) for column in columns(source.struct)] + [(_FILE_ID, "bigint")]
    if connection.execute(_COLUMNS, (f'"{source.schema}"."{source.table}"',)).fetchall() == wanted:
        return False
    connection.execute(sql.SQL("drop table if exists {} cascade").format(target))  # with the staging view on it, which dbt makes anew
    listed = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in wanted)
    connection.execute(sql.SQL("create table {} ({})").format(target, listed))
    # by ranges of blocks: a file's rows lie together, and dropping them is rare
    connection.execute(sql.SQL("create index on {} using brin (file_id)").format(target))
    return True


def _look(path: Path) -> _Look:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
