"""Three slots for a quick booking, chosen of what a calendar offers.

Here belongs the choice and how it is said. Not here: asking the calendar, the link.
"""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

SLOTS = 3


def three_slots(offered: Sequence[datetime], timezone: str) -> list[datetime]:
    """The earliest of each of the first days, filled up with the earliest others; three at most, in order.

    Two on one morning are hardly a choice, three days are.

    >>> from datetime import UTC
    >>> free = [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((2, 4), (2, 5), (3, 9), (3, 10))]
    >>> [f"{each:%d %H}" for each in three_slots(free, "Asia/Kolkata")]
    ['02 04', '02 05', '03 09']
    """
    ordered = sorted(set(offered))
    days: dict[str, datetime] = {}
    for each in ordered:
        days.setdefault(each.astimezone(ZoneInfo(timezone)).date().isoformat(), each)
    chosen = list(days.values())[:SLOTS]
    rest = [each for each in ordered if each not in chosen]
    return sorted(chosen + rest[: SLOTS - len(chosen)])


def said(slots: Sequence[datetime], timezone: str) -> str:
    """Slots in the time zone, in words.

    >>> from datetime import UTC
    >>> said([datetime(2026, 3, 2, 4, tzinfo=UTC), datetime(2026, 3, 3, 9, tzinfo=UTC)], "Asia/Kolkata")
    'Mon 2 Mar 09:30 or Tue 3 Mar 14:30'
    """
    return " or ".join(f"{each:%a} {each.day} {each:%b %H:%M}" for each in (slot.astimezone(ZoneInfo(timezone)) for slot in slots))
