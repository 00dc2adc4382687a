"""Business time: a calendar's weekly shifts and holidays as UTC intervals, and arithmetic in open seconds.

Here belong the intervals and the two reference functions `elapsed` and `due`; the warehouse does the same in SQL over the table
`business_intervals`. Not here: which calendar a clock runs by (`policies`, `sla_policies`).

Rules (docs/decisions.md, "Business time"): a shift opens at the first instant at which the wall clock shows its opening time or
later, and closes after the last instant at which the wall clock shows less than its closing time. So a time that the clocks
skip in spring counts as the moment of the change, and of a time that comes twice in autumn the earlier opens and the later
closes. An overnight shift belongs to the day on which it starts: a holiday removes the shifts that start on it, and nothing
else.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from core.reference import BusinessInterval

_SHIFT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_DAY_MINUTES = 24 * 60
_ONE_DAY = timedelta(days=1)
_ONE_SECOND = timedelta(seconds=1)


class Shift(NamedTuple):
    """An open stretch in minutes since the local midnight of the day on which it starts; overnight, `closes` is above 1440."""

    opens: int
    closes: int


class Calendar(Struct, frozen=True, kw_only=True):
    """One version of a calendar, valid in [`valid_from`, `valid_to`), whole seconds. `week` holds Monday to Sunday."""

    calendar_id: str
    timezone: str
    week: tuple[tuple[Shift, ...], ...]
    holidays: frozenset[date] = frozenset()
    valid_from: datetime
    valid_to: datetime | None = None


def parse_shift(text: str) -> Shift:
    """`"09:00-13:00"`, overnight `"22:00-06:00"`, to midnight `"18:00-24:00"`, all day `"00:00-24:00"`.

    Raises:
        ValueError: it is none of these, or has no length.

    >>> parse_shift("22:00-06:00")
    Shift(opens=1320, closes=1800)
    """
    match = _SHIFT.fullmatch(text)
    if match is None:
        message = f'{text!r} is no shift; write it like "09:00-18:00", "22:00-06:00" or "18:00-24:00"'
        raise ValueError(message)
    opens_hour, opens_minute, *closing = (int(part) for part in match.groups() if part is not None)
    opens, closes = opens_hour * 60 + opens_minute, closing[0] * 60 + closing[1]
    if opens == closes:
        message = f'{text!r} has no length; a whole day is "00:00-24:00"'
        raise ValueError(message)
    return Shift(opens, closes if closes > opens else closes + _DAY_MINUTES)


def intervals(tenant_id: str, versions: Iterable[Calendar], first: date, last: date) -> list[BusinessInterval]:
    """Open intervals of one calendar between 00:00 UTC of `first` and 00:00 UTC of `last`, ordered, apart from each other.

    Args:
        tenant_id: whose calendar it is.
        versions: its dated versions; each counts in its own validity only.
        first: first UTC date.
        last: the UTC date after the last one.

    Shifts that overlap or touch are one interval. `open_seconds_before` starts at 0 at `first`.
    """
    versions = list(versions)
    begin, end = datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)
    spans = sorted(span for version in versions for span in _spans(version, begin, end))
    rows: list[BusinessInterval] = []
    total = 0
    for opened_at, closed_at in _merged(spans):
        rows.append(
            BusinessInterval(
                tenant_id=tenant_id,
                calendar_id=versions[0].calendar_id,
                opened_at=opened_at,
                closed_at=closed_at,
                open_seconds_before=total,
            )
        )
        total += (closed_at - opened_at) // _ONE_SECOND
    return rows


def elapsed(rows: Sequence[BusinessInterval], since: datetime, until: datetime) -> timedelta:
    """Open time in [`since`, `until`); negative where `until` is earlier, so that it adds up over any three moments."""
    return _open_before(rows, until) - _open_before(rows, since)


def due(rows: Sequence[BusinessInterval], since: datetime, open_time: timedelta) -> datetime | None:
    """The earliest moment from `since` on at which `open_time` has elapsed; None where the intervals end before that.

    No time at all is due at once, also outside opening hours. A target that is used up exactly at closing time is due then, not
    at the next opening. Raises ValueError for a negative target.
    """
    if open_time < timedelta():
        message = f"a target cannot be negative: {open_time}"
        raise ValueError(message)
    if not open_time:
        return since
    target = _open_before(rows, since) + open_time
    # The last interval that starts with less than the target behind it.
    index = bisect_right(rows, target - timedelta(microseconds=1), key=lambda row: timedelta(seconds=row.open_seconds_before)) - 1
    moment = rows[index].opened_at + (target - timedelta(seconds=rows[index].open_seconds_before)) if index >= 0 else None
    return moment if moment is not None and moment <= rows[index].closed_at else None


def _open_before(rows: Sequence[BusinessInterval], moment: datetime) -> timedelta:
    index = bisect_right(rows, moment, key=lambda row: row.opened_at) - 1
    if index < 0:
        return timedelta()
    row = rows[index]
    return timedelta(seconds=row.open_seconds_before) + min(moment, row.closed_at) - row.opened_at


def _spans(version: Calendar, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    begin = max(begin, version.valid_from)
    end = end if version.valid_to is None else min(end, version.valid_to)
    if begin >= end:
        return
    zone = ZoneInfo(version.timezone)
    # A shift that is open at `begin` started at most two local days before (overnight, and clocks that go back).
    day = begin.astimezone(zone).date() - 2 * _ONE_DAY
    while day <= end.astimezone(zone).date():
        for shift in () if day in version.holidays else version.week[day.weekday()]:
            opened_at = max(begin, _opening(_wall(day, shift.opens), zone))
            closed_at = min(end, _closing(_wall(day, shift.closes), zone))
            if opened_at < closed_at:
                yield opened_at, closed_at
        day += _ONE_DAY


def _wall(day: date, minutes: int) -> datetime:
    """A wall-clock reading, on purpose without a zone."""
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _opening(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the wall clock shows `wall` or later."""
    return _instant(wall, zone, fold=0)


def _closing(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant after the last one at which the wall clock shows less than `wall`.

    Where clocks go back to just `wall`, they do not show less again: its first reading closes.
    """
    first, second = (_instant(wall, zone, fold=each) for each in (0, 1))
    shown_before = (second - timedelta(microseconds=1)).astimezone(zone).replace(tzinfo=None)
    return second if shown_before < wall else first


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """`wall` as UTC: of two readings the first (fold 0) or the second (1); where the clocks skip it, the moment of the change."""
    found = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # PEP 495: in a gap fold=1 reads with the offset after the change, which gives an instant before it, and fold=0 the reverse.
    before, after = (wall.replace(tzinfo=zone, fold=each).astimezone(UTC) for each in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > _ONE_SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after


def _merged(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for span in spans:
        if current is None:
            current = span
        elif span[0] <= current[1]:
            current = current[0], max(current[1], span[1])
        else:
            yield current
            current = span
    if current is not None:
        yield current
