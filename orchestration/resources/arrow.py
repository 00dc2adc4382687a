"""Structs as Arrow: the schema of every stored table, derived from `core.columns`, and columns of Python values as a table of it.

Here belongs the one mapping from column types to Arrow and polars types, and what every file of the lake says of itself. Not here: files,
engines.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import pyarrow as pa
from msgspec import Struct

from core.columns import Column, ColumnType, columns
from core.events import SCHEMA_VERSION, Event
from orchestration.resources.arrow_columns import array_of

VERSION_KEY, TABLE_KEY, WRITER_KEY = "flexoraa.schema_version", "flexoraa.table", "flexoraa.writer"
"""Keys of a lake file's own metadata."""

TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "binary": pa.binary(),
}


@cache
def schema_of(struct: type[Struct]) -> pa.Schema:
    """Arrow schema of an event or a reference row; that of an event has the metadata that its files carry."""
    fields = [pa.field(each.name, TYPES[each.type], each.nullable) for each in columns(struct)]
    return pa.schema(fields, file_metadata(struct) if issubclass(struct, Event) else None)


def file_metadata(event_type: type[Event]) -> dict[str, str]:
    """What a file of the lake says of itself: which table it is of, in which version of the schema, and what wrote it."""
    return {VERSION_KEY: str(SCHEMA_VERSION), TABLE_KEY: event_type.table, WRITER_KEY: f"flexoraa {version('flexoraa')}"}


def frame_schema(struct: type[Struct]) -> dict[str, Any]:
    """Polars' types of the columns."""
    import polars as pl  # here: 0.3 s that commands without rows never need

    types: dict[ColumnType, Any] = {
        "text": pl.String,
        "int": pl.Int64,
        "float": pl.Float64,
        "bool": pl.Boolean,
        "time": pl.Datetime("us", "UTC"),
        "date": pl.Date,
        "binary": pl.Binary,
    }
    return {each.name: types[each.type] for each in columns(struct)}


def table_of(struct: type[Struct], values: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns of Python values, by their names in storage, as one table.

    Raises:
        ValueError: a value is missing in a column that may not be empty.
    """
    arrays = []
    for column in columns(struct):
        try:
            made = array_of(column.type, TYPES[column.type], values.get(column.name, ()))
        except TypeError:  # moments and dates of reference rows
            made = None
        arrays.append(_by_polars(struct, column, values.get(column.name, ())) if made is None else made)
        if arrays[-1].null_count and not column.nullable:
            message = f"{column.name} has rows without a value"
            raise ValueError(message)
    return pa.Table.from_arrays(arrays, schema=schema_of(struct))


def _by_polars(struct: type[Struct], column: Column, values: Sequence[Any]) -> pa.Array:
    """The same of rare kinds: pyarrow would import pandas, 1 s, before it looks at the first Python value."""
    if not values:
        return pa.nulls(0, TYPES[column.type])
    import polars as pl  # here: 0.3 s that commands without rows never need

    return pl.Series(values, dtype=frame_schema(struct)[column.name]).to_arrow().cast(TYPES[column.type])
