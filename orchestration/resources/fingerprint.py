"""Ordered checksums of tables: equal where engines hold the same rows, however they write them.

Here belongs what counts as the same value: floats at 9 significant digits, moments in microseconds of UTC, whole numbers whatever their
width, null apart from every value. The order of rows and of columns does not count. Not here: where tables come from.
"""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa


class Mart(NamedTuple):
    """One mart's rows as a fingerprint: equal fingerprints, equal ordered rows."""

    rows: int
    checksum: str


def fingerprint(table: pa.Table) -> Mart:
    """Rows as text, sorted, hashed.

    >>> fingerprint(pa.table({"a": [1, None], "b": [0.1 + 0.2, 1.0]})) == fingerprint(pa.table({"b": [1.0, 0.3], "a": [None, 1]}))
    True
    >>> fingerprint(pa.table({"a": [None]})) == fingerprint(pa.table({"a": [""]}))
    False
    """
    digest = hashlib.sha256()
    for line in lines(table):
        digest.update(line.encode() + b"\n")
    return Mart(table.num_rows, digest.hexdigest())


def lines(table: pa.Table) -> list[str]:
    """Every row as one line of text, columns by name, in order: what two engines differ in shows here."""
    names = sorted(table.column_names)
    columns = [[_text(value) for value in table[name].to_pylist()] for name in names]
    return sorted("\t".join(row) for row in zip(*columns, strict=True))


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case str():
            return repr(value)  # quoted, so that no text looks like a null, and on one line
        case bytes():
            return value.hex()
        case float():
            return f"{value:.9g}"
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value)
