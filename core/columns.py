"""Structs as tables: which columns an event or a reference row has in storage, and of which type.

Here belongs the one rule that turns a field into a column; every store derives its schema from it. Not here: the stores themselves.
"""

import types
import typing
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from core.events import Event, Mark, Point

ColumnType = Literal["text", "int", "float", "bool", "time", "date", "binary"]
Role = Literal["plain", "point", "personal", "sealed", "ref"]

_PLAIN: dict[Any, ColumnType] = {str: "text", int: "int", float: "float", bool: "bool", datetime: "time", date: "date"}


class Column(NamedTuple):
    """One column: its name in storage, the field that it keeps, its type, its role, and whether it may be empty."""

    name: str
    field: str
    type: ColumnType
    role: Role
    nullable: bool


LAKE_COLUMNS: tuple[Column, ...] = (
    Column("tenant_id", "", "text", "plain", False),
    Column("received_at", "", "time", "plain", False),
    Column("schema_version", "", "int", "plain", False),
    Column("segment_id", "", "text", "plain", False),
    Column("body_hash", "", "text", "plain", False),
)
"""What ingestion adds to every event."""


@cache
def columns(struct: type[Struct]) -> tuple[Column, ...]:
    """Columns of a Struct in the order of its fields; for an event, those of ingestion come first.

    >>> from core.reference import TokenThreshold
    >>> [column.name for column in columns(TokenThreshold)]
    ['tenant_id', 'valid_from', 'valid_to', 'percent', 'action']
    """
    hints = typing.get_type_hints(struct, include_extras=True)
    own = tuple(_column(name, hints[name]) for name in struct.__struct_fields__)
    return LAKE_COLUMNS + own if issubclass(struct, Event) else own


def _column(name: str, hint: Any) -> Column:
    nullable = False
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        nullable, hint = True, parts[0]
    marks = [mark for mark in typing.get_args(hint)[1:] if isinstance(mark, Mark)]
    if marks and marks[0].kind == "ref":
        return Column(name, name, "text", "ref", nullable)
    if marks:
        return Column(f"{name}_enc", name, "binary", marks[0].kind, nullable)
    if hint is Point:
        return Column(f"{name}_point_id", name, "text", "point", nullable)
    if typing.get_origin(hint) is Literal:
        return Column(name, name, "text", "plain", nullable)
    return Column(name, name, _PLAIN[hint], "plain", nullable)
