"""What must be true of events that enter, by their Structs: types, which columns are filled, which words and which ranges they may hold.

Here belong the expectations, how much is a usual day, and how long it may be silent. Not here: the library that looks
(`assets.quality`), whether anything was lost (`assets.checks`).
"""

import statistics
import types
import typing
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from core.columns import ColumnType, columns
from core.events import Event

DAY = timedelta(days=1)
HISTORY = 28 * DAY
SILENCE = timedelta(hours=12)
"""After so long without a row, what has a usual day is stale: a night of no messages is none, half a day is."""
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LEAST_DAYS, _LEAST_ROWS = 7, 20

_RANGES: dict[str, tuple[float, float | None]] = {
    "amount_minor": (0, None), "fee_minor": (0, None), "tax_minor": (0, None), "budget_minor": (0, None), "value_minor": (0, None),
    "quantity": (0, None), "timeline_days": (0, 36_500), "latency_seconds": (0, 86_400), "confidence": (0, 1),
}  # fmt: skip
"""Least and most by the name of the column, whichever table has it."""


class Rule(NamedTuple):
    """One expectation of a column: of one type, never empty, one of some words, or between two ends (either may be open)."""

    column: str
    kind: Literal["typed", "filled", "one_of", "between"]
    values: tuple[str, ...] = ()
    type: ColumnType | None = None
    least: Any = None
    most: Any = None


def rules(event_type: type[Event], as_of: datetime) -> Iterator[Rule]:
    """All expectations of a table. Nothing happens more than a day after it is looked at.

    >>> from core.events import ServiceEvent
    >>> [rule.kind for rule in rules(ServiceEvent, datetime(2026, 3, 1, tzinfo=UTC)) if rule.column == "latency_seconds"]
    ['typed', 'between']
    """
    hints = typing.get_type_hints(event_type)
    for column in columns(event_type):
        if column.type != "binary":
            yield Rule(column.name, "typed", type=column.type)
        if not column.nullable and column.type != "binary":  # ciphertext is not read
            yield Rule(column.name, "filled")
        if words := _words(hints.get(column.field)):
            yield Rule(column.name, "one_of", words)
        if column.name in _RANGES:
            least, most = _RANGES[column.name]
            yield Rule(column.name, "between", least=least, most=most)
        if column.name in {"occurred_at", "received_at"}:
            yield Rule(column.name, "between", least=_EARLIEST, most=as_of + DAY)


def usual_rows(earlier_days: Sequence[int]) -> tuple[int, int] | None:
    """How many rows a day may have by the counts of the days before it: a fifth of the median to five times the most.

    None where there is too little to tell: fewer than 7 days, or a median below 20.

    >>> usual_rows([100] * 10)
    (20, 500)
    """
    if len(earlier_days) < _LEAST_DAYS or statistics.median(earlier_days) < _LEAST_ROWS:
        return None
    return int(statistics.median(earlier_days) // 5), 5 * max(earlier_days)


def stale_before(earlier_days: Sequence[int], as_of: datetime) -> datetime | None:
    """When the newest row must have come at the earliest; None where no day is usual."""
    return None if usual_rows(earlier_days) is None else as_of - SILENCE


def _words(hint: Any) -> tuple[str, ...]:
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return next((words for part in typing.get_args(hint) if (words := _words(part))), ())
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
