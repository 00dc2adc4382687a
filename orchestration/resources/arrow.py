"""Structs as Arrow: the schema of every stored table, derived from `core.columns`.

Here belongs the one mapping from column types to Arrow types. Not here: files, engines.
"""

from functools import cache

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
