"""Printing rows for people and for scripts.

Here belongs the three formats. Not here: what is asked.
"""

import json
import math
import sys
from datetime import date, time

import pyarrow as pa
import pyarrow.csv as pa_csv


def print_table(table: pa.Table, form: str) -> None:
    """`table`: aligned text. `csv`: RFC 4180 with a header. `json`: one array of objects, times in ISO 8601."""
    table = table.rename_columns(_told_apart(table.column_names))
    if form == "json":
        sys.stdout.write(json.dumps([_plain(row) for row in table.to_pylist()], indent=2) + "\n")
    elif form == "csv":
        sys.stdout.flush()
        flat = pa.table({name: _flat(table[name]) for name in table.column_names})
        pa_csv.write_csv(flat, sys.stdout.buffer, pa_csv.WriteOptions(quoting_style="needed"))
    else:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        shown = Table(*map(escape, table.column_names))  # what stands in square brackets is a value and no mark-up
        for row in table.to_pylist():
            shown.add_row(*(Text("" if value is None else str(_plain(value))) for value in row.values()))
        width = None if sys.stdout.isatty() else 240
        Console(width=width).print(shown)


def _told_apart(names: list[str]) -> list[str]:
    """`select 1 as a, 2 as a` has two columns of one name; an object has not."""
    return [name if names.index(name) == place else f"{name}_{place + 1}" for place, name in enumerate(names)]


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return pa.array([None if value is None else json.dumps(_plain(value)).strip('"') for value in column.to_pylist()], pa.string())
    return column


def _plain(value: object) -> object:
    """As JSON has it: NaN and infinity, which it has not, are null."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
