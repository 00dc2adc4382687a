"""Opening hours read off a wall clock. Not here: what they are used for. It shares no code with `core.business_time`."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
GRID = timedelta(minutes=15)


def open_spans(zone: str, versions: Iterable[Any], first: date, last: date) -> list[Span]:
    """Opening hours between two UTC dates: the wall clock, read every 15 minutes, between which no shift and no offset changes.

    A version has `week` (pairs of minutes since midnight, by weekday), `holidays`, `valid_from` and `valid_to`.
    """
    begin, end = datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)
    steps = (end - begin) // GRID + 4 * 96
    instants = [begin - 2 * timedelta(days=1) + n * GRID for n in range(steps)]
    walls = [instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for instant in instants]
    is_open = set()
    for version in versions:
        day = first - timedelta(days=2)
        while day <= last:
            midnight = datetime.combine(day, time())
            near = range(max(0, (day - first).days * 96), min(steps, (day - first).days * 96 + 6 * 96))
            for opens, closes in () if day in version.holidays else version.week[day.weekday()]:
                opening = next((n for n in near if walls[n] >= midnight + timedelta(minutes=opens)), steps)
                closing = max((n for n in near if walls[n] < midnight + timedelta(minutes=closes)), default=-1)
                is_open |= {
                    n
                    for n in range(opening, closing + 1)
                    if version.valid_from <= instants[n] and (version.valid_to is None or instants[n] < version.valid_to)
                }
            day += timedelta(days=1)
    spans: list[list[datetime]] = []
    for n in sorted(is_open):
        if not begin <= instants[n] < end:
            continue
        if spans and spans[-1][1] == instants[n]:
            spans[-1][1] += GRID
        else:
            spans.append([instants[n], instants[n] + GRID])
    return [(opened, closed) for opened, closed in spans]
