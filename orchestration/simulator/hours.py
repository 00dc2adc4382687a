"""When a simulated business is open: its weekly shifts and holidays as UTC stretches, and time counted in them.

A second, simpler route to what `core.business_time` does, so that planted truth does not rest on the code that it tests.
Not here: what happens in those hours (the stories).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours:
    """Open stretches of one calendar between two moments."""

    def __init__(self, timezone: str, week: Mapping[str, Iterable[str]], holidays: Iterable[date], start: datetime, end: datetime) -> None:
        """Lay the week out over [`start`, `end`], in the time zone's own wall time."""
        zone, closed = ZoneInfo(timezone), set(holidays)
        self.stretches: list[tuple[datetime, datetime]] = []
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        while day <= last:
            if day not in closed:
                for shift in week.get(DAYS[day.weekday()], ()):
                    opened, shut = (
                        datetime.combine(day, datetime.strptime(clock, "%H:%M").time(), zone)  # noqa: DTZ007 — a wall time, zoned here
                        for clock in shift.split("-")
                    )
                    self.stretches.append((opened.astimezone(UTC), shut.astimezone(UTC)))
            day += timedelta(days=1)

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Open time in [`start`, `end`)."""
        parts = (min(shut, end) - max(opened, start) for opened, shut in self.stretches)
        return sum((part for part in parts if part > timedelta()), timedelta())

    def before(self, end: datetime, length: timedelta) -> datetime:
        """The moment from which `length` of open time passes until `end`."""
        for opened, shut in reversed(self.stretches):
            part = min(shut, end) - opened
            if part >= length:
                return min(shut, end) - length
            length -= max(part, timedelta())
        message = f"the calendar has no {length} of open time before {end}"
        raise ValueError(message)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The moment at which `length` of open time has passed since `start`."""
        for opened, shut in self.stretches:
            part = shut - max(opened, start)
            if part >= length:
                return max(opened, start) + length
            length -= max(part, timedelta())
        message = f"the calendar has no {length} of open time after {start}"
        raise ValueError(message)

    def pick(self, rng: Random, low: datetime, high: datetime, room: timedelta) -> datetime:
        """A moment in [`low`, `high`) after which the business stays open for at least `room`."""
        fitting = [
            (max(opened, low), min(shut - room, high)) for opened, shut in self.stretches if min(shut - room, high) > max(opened, low)
        ]
        if not fitting:
            message = f"the calendar has no open {room} between {low} and {high}: simulate more days"
            raise ValueError(message)
        first, last = rng.choice(fitting)
        return first + timedelta(seconds=int(rng.random() * (last - first).total_seconds()))

    def nights(self, low: datetime, high: datetime) -> list[tuple[datetime, datetime]]:
        """Closed stretches of 3 to 16 hours that lie in [`low`, `high`)."""
        pairs = zip(self.stretches, self.stretches[1:], strict=False)
        gaps = ((shut, opened) for (_, shut), (opened, _) in pairs if low <= shut and opened < high)
        return [(shut, opened) for shut, opened in gaps if timedelta(hours=3) <= opened - shut <= timedelta(hours=16)]
