"""Printing rows for people and for scripts.

Here belongs the three formats. Not here: what is asked.
"""

import json
import sys

import pyarrow as pa
import pyarrow.csv as pa_csv


def print_table(table: pa.Table, form: str) -> None:
    """`table`: aligned text. `csv`: RFC 4180 with a header. `json`: one array of objects, times in ISO 8601."""
    if form == "json":
        sys.stdout.write(json.dumps(table.to_pylist(), default=_plain, indent=2) + "\n")
    elif form == "csv":
        sys.stdout.flush()
        pa_csv.write_csv(table, sys.stdout.buffer, pa_csv.WriteOptions(quoting_style="needed"))
    else:
        from rich.console import Console
        from rich.table import Table

        shown = Table(*table.column_names)
        for row in table.to_pylist():
            shown.add_row(*("" if value is None else str(_plain(value)) for value in row.values()))
        width = None if sys.stdout.isatty() else 240
        Console(width=width).print(shown)


def _plain(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value if isinstance(value, str | int | float | bool) else str(value)
