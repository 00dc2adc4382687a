"""Structs as Arrow: the schema of every stored table, derived from `core.columns`, and columns of Python values as a table of it.

Here belongs the one mapping from column types to Arrow types. Not here: files, engines.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
from msgspec import Struct

from core.columns import ColumnType, columns

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
    """Arrow schema of an event or a reference row."""
    return pa.schema([pa.field(each.name, TYPES[each.type], each.nullable) for each in columns(struct)])


def table_of(struct: type[Struct], values: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns of Python values, by their names in storage, as one table.

    Through polars, because pyarrow imports pandas, 1 s, before it looks at the first Python value.
    """
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
    frame = pl.DataFrame(dict(values), schema={each.name: types[each.type] for each in columns(struct)})
    return frame.to_arrow().cast(schema_of(struct))
