"""What a file of the lake says of itself, and whether this version can read it.

Here belongs the one rule of what is readable: today's columns, each with its type, or without those that may be empty. Not here: which
files there are (`lake_files`), what the columns are (`core.columns`).
"""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import ColumnType, columns
from core.events import SCHEMA_VERSION, Event
from orchestration.resources.arrow import TABLE_KEY, VERSION_KEY, WRITER_KEY
from orchestration.resources.lake_files import LakeError, LakeFile

_KINDS: dict[pa.DataType, ColumnType] = {
    pa.string(): "text", pa.large_string(): "text", pa.int64(): "int", pa.float64(): "float", pa.bool_(): "bool",
    pa.timestamp("us", tz="UTC"): "time", pa.date32(): "date", pa.binary(): "binary", pa.large_binary(): "binary",
}  # fmt: skip

_FIRST_VERSION = 1
"""That of files without metadata: they were written before there was any other."""


class Footer(NamedTuple):
    """What a file says of itself. `columns` by name, types in our words or, where we have none, in Arrow's."""

    version: int
    table: str
    writer: str
    rows: int
    columns: dict[str, str]


_SEEN: dict[tuple[str, int, int], Footer] = {}
"""By path, size and time of change: a run asks three times, and a footer takes 0.2 ms."""


def footer(file: LakeFile) -> Footer:
    """Read it, once a process.

    Raises:
        LakeError: it is no whole Parquet file.
    """
    key = (str(file.path), file.size_bytes, file.changed_ns)
    if key not in _SEEN:
        try:
            found = pq.read_metadata(file.path)
        except pa.ArrowInvalid as error:
            raise LakeError(f"{file.path} is no whole Parquet file ({error}): put it back from a backup") from error
        said = {name.decode(): value.decode(errors="replace") for name, value in (found.metadata or {}).items() if name != b"ARROW:schema"}
        held = {each.name: _KINDS.get(each.type, str(each.type)) for each in found.schema.to_arrow_schema()}
        stated = said.get(VERSION_KEY, str(_FIRST_VERSION))
        version = int(stated) if stated.isdecimal() else SCHEMA_VERSION + 1
        _SEEN[key] = Footer(version, said.get(TABLE_KEY, file.path.parents[1].name), said.get(WRITER_KEY, "unknown"), found.num_rows, held)
    return _SEEN[key]


def held_columns(event_type: type[Event], file: LakeFile) -> frozenset[str]:
    """Today's columns that a file has; it is read with nulls for the others.

    Raises:
        LakeError: it was written by a newer version, or cannot be read as today's table.
    """
    found = footer(file)
    if reason := _misfit(event_type, found):
        raise LakeError(f"{file.path} (schema version {found.version}, written by {found.writer}) cannot be read here: {reason}")
    return frozenset(found.columns).intersection(each.name for each in columns(event_type))


def is_wider(event_type: type[Event], file: LakeFile) -> bool:
    """Whether it has columns that today's table has not: to write it anew would lose them."""
    return not {each.name for each in columns(event_type)}.issuperset(footer(file).columns)


def readable(event_type: type[Event], files: Iterable[LakeFile]) -> dict[LakeFile, frozenset[str]]:
    """Files with the columns to read of each; those without a row are left out, whatever they say of themselves.

    Raises:
        LakeError: the first file that cannot be read.
    """
    return {file: held_columns(event_type, file) for file in files if footer(file).rows}


def _misfit(event_type: type[Event], found: Footer) -> str:
    """Why not, and what to do; empty where it can be read."""
    newer = "it was written by a newer version of flexoraa; install that version or a later one"
    if found.table != event_type.table:
        return f"it is of the table {found.table} and lies with {event_type.table}; move it back, or restore the lake from a backup"
    if found.version > SCHEMA_VERSION:
        return f"this version knows schema versions up to {SCHEMA_VERSION}: {newer}"
    wanted = {each.name: each for each in columns(event_type)}
    unknown = found.columns.keys() - wanted
    if unknown and found.version == SCHEMA_VERSION:
        return f"it has a column {min(unknown)} that this version does not know: {newer}"
    anew = "take the files of that table and date out of the lake and take their segments in again (docs/runbook.md)"
    for name, column in wanted.items():
        if name not in found.columns:
            if not column.nullable:
                return f"it has no column {name}, which may not be empty: {anew}"
        elif found.columns[name] != column.type:
            return f"its column {name} is {found.columns[name]} and must be {column.type}: {anew}"
    return ""
