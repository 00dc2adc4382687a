"""When somebody wants to buy, by the words of a message: whole days from the message's local date.

Here belongs the order in which readings are tried, and which mentions are no plan (what is past, denied, or of a warranty). Not here: spans
that are counted (`durations`), days of the calendar (`dates`, `moments`).

A counted month is 30 days, a year 365. "Next month" is the same day of it, which always lies in it; "this month", "in April" and "by April"
are up to its last day; "after" and "baad" of a day are the day after, "before" and "pehle" the day before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ml.signals.durations import duration_at
from ml.signals.lexicon import words_of
from ml.signals.moments import Mention, calendar_day_at, festival_at, relative_at, soon_at, weekday_at
from ml.signals.numerals import Word, read_folded
from ml.signals.periods import end_at, period_at
from ml.signals.words import fold

_PAST = words_of("past")
_NO_PLAN = words_of("no_plan")


class Timeline(NamedTuple):
    """Whole days from the message's date; `confidence` 0 to 1."""

    days: int
    confidence: float


_READINGS: tuple[Callable[..., Mention | None], ...] = (
    duration_at,
    festival_at,
    calendar_day_at,
    end_at,
    period_at,
    relative_at,
    weekday_at,
    soon_at,
)
"""In the order in which they are tried at a word; the first that fits has it."""


def timeline(text: str, at: datetime, timezone: str = "UTC") -> Timeline | None:
    """In how many days the writer wants to buy, or None where nothing says so.

    Args:
        text: a message.
        at: its moment, with an offset.
        timezone: the tenant's, IANA: whose "tomorrow" it is.

    >>> from datetime import UTC
    >>> timeline("agle hafte tak chahiye", datetime(2026, 3, 4, 12, tzinfo=UTC), "Asia/Kolkata").days
    7
    >>> timeline("2 saal se use kar rahe hain", datetime(2026, 3, 4, 12, tzinfo=UTC)) is None
    True
    """
    return timeline_of(read_folded(fold(text)), at, timezone)


def timeline_of(words: Sequence[Word], at: datetime, timezone: str) -> Timeline | None:
    """The same of words that are read already."""
    today = at.astimezone(ZoneInfo(timezone)).date()
    best: Mention | None = None
    place = 0
    while place < len(words):
        mention = next((found for reading in _READINGS if (found := reading(words, place, today)) is not None), None)
        if mention is None:
            place += 1
            continue
        place = max(mention.end, place + 1)
        if mention.days >= 0 and not _is_no_plan(words, mention) and (best is None or mention.sureness > best.sureness):
            best = mention
    return None if best is None else Timeline(best.days, best.sureness)


def _is_no_plan(words: Sequence[Word], mention: Mention) -> bool:
    """Whether it is past, denied, or something else that lasts so long."""
    before, after = words[max(0, mention.start - 2) : mention.start], words[mention.end : mention.end + 6]
    if any(each.name in {"LAST", "SINCE"} for each in before[-1:]) or (
        before and before[-1].text in {"every", "per", "har", "each", "for"} and not mention.is_goal
    ):
        return True
    if before and before[-1].name == "NOT":
        return True
    stop = next(
        (place for place, each in enumerate(after) if each.text in {".", ",", "!", ";", "\n", "but", "lekin", "par", "ab", "so"}),
        len(after),
    )
    rest = after[:stop]
    if rest and (rest[0].name in {"AGO", "NOT"} or (len(rest) > 1 and rest[0].name in {"ME", "TAK", "THIS"} and rest[1].name == "NOT")):
        return True
    if mention.may_be_past and any(each.text in _PAST for each in rest):
        return True
    if any(each.text in _NO_PLAN for each in (*rest[:4], *before)):
        return True
    return len(rest) > 1 and rest[0].text == "ho" and rest[1].text in {"gaye", "gaya", "gae", "chuke", "gayi"}
