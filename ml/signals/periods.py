"""Weeks, months, quarters and years that are named, and their parts: next month, this week, the end of April, agle mahine ki shuruat.

Not here: days (`moments`), counted spans (`durations`).
"""

from collections.abc import Sequence
from datetime import date, timedelta

from ml.signals import dates
from ml.signals.dates import MONTHS
from ml.signals.moments import AHEAD, AMBIGUOUS, Mention, name_at, shifted, text_at
from ml.signals.numerals import Word

_ENDS = {"eod": "TODAY", "eow": "WEEK", "eom": "MONTH", "eoy": "YEAR"}
_NTH = {"second": 2, "third": 3, "fourth": 4, "doosre": 2, "dusre": 2, "teesre": 3, "tisre": 3, "chauthe": 4}
_PERIODS = frozenset({"WEEK", "MONTH", "YEAR", "QUARTER", "WEEKEND"})


def period_at(words: Sequence[Word], at: int, today: date) -> Mention | None:  # noqa: PLR0912 — one reading, its cases in order
    """This week, next month, agle mahine ke end tak, mid April, month end, first week of May."""
    part, place = _part_before(words, at)
    which = ""
    if name_at(words, place) in {"NEXT", "THIS"}:
        which, place = words[place].name, place + 1
        if which == "NEXT" and text_at(words, place) in {"se", "to"} and name_at(words, place + 1) == "NEXT":
            which, place = "NEXT2", place + 2
    name = name_at(words, place)
    end = place + 1
    if name in _PERIODS and which != "NEXT2" and name_at(words, end) == "AFTER" and name_at(words, end + 1) == "NEXT":
        which, end = "NEXT2", end + 2
    if name not in _PERIODS and name not in MONTHS:
        if name == "DAY" and which == "NEXT":
            return Mention(1, at, end, 0.85)
        is_part = which == "NEXT" or (part == "END" and text_at(words, place) in {"financial", "fiscal", "fy"})
        fiscal = _fiscal(words, place if is_part else at, today)
        return fiscal._replace(days=fiscal.days + 1, start=at) if fiscal is not None and which == "NEXT" else fiscal
    tail, after = _part_after(words, end)
    part, end = part or tail, after if tail else end
    year = _year_after(words, end) if name in MONTHS else 0
    end += year > 0
    is_led = (
        bool(part or which or year) or name_at(words, at - 1) in AHEAD or name_at(words, end) in {"TAK", "ME", "BAAD", "PEHLE", "ANDAR"}
    )
    is_led = is_led or (text_at(words, end) in {"se", "ke"} and name_at(words, end + 1) in {"PEHLE", "BAAD", "ANDAR"})
    if name == "YEAR" and which == "NEXT" and name_at(words, end) in MONTHS:  # agle saal January mein
        month = dates.month_end(today.replace(year=today.year + 1, month=MONTHS.index(words[end].name) + 1, day=1))
        return Mention((month - today).days, at, end + 1, 0.9, is_goal=True)
    if name in MONTHS:
        if not is_led and (text_at(words, place) in AMBIGUOUS or len(words) > 4):
            return None
        first = dates.coming_month(today, MONTHS.index(name) + 1)
        first = first.replace(year=year or first.year)
        last = dates.month_end(first)
        default = last
    elif name == "WEEKEND":
        if not (
            which
            or name_at(words, at - 1) in AHEAD
            or text_at(words, at - 1) in {"the", "on"}
            or name_at(words, end) in {"TAK", "ME"}
            or text_at(words, end) in {"pe", "par", "ko"}
        ):
            return None
        first = dates.coming_weekend(today) + timedelta(days=7 * (which == "NEXT"))
        last, default = first + timedelta(days=1), first
    elif not which and not part:
        leads = {"within", "in"} if name in {"WEEK", "MONTH"} else {"within"} if name in {"YEAR", "QUARTER"} else {}
        if text_at(words, at - 1) != "the" or text_at(words, at - 2) not in leads:
            return None
        first, last, default = _span(name, "THIS", today)
    else:
        first, last, default = _span(name, which or "THIS", today)
    day = {
        "END": last,
        "SHURU": max(first, today),
        "MIDDLE": first + (last - first) / 2,
    }.get(part, min(first + timedelta(days=7 * int(part) - 1), last) if part.isdigit() else default)
    if part == "MIDDLE" and name not in {"WEEK", "YEAR"}:
        day = first + timedelta(days=14)
    if day < today:
        day = last
    if (
        part == ""
        and name in MONTHS
        and (name_at(words, at - 1) == "BEFORE" or (text_at(words, end) == "se" and name_at(words, end + 1) == "PEHLE"))
    ):
        return Mention(max((first - today).days - 1, 0), at, end + 2, 0.9)
    days, end = shifted(words, at, end, (day - today).days) if day >= today else (-1, end)  # of a year that is over
    return Mention(days, at, end, 0.92, is_goal=True)


def end_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """EOD, EOW, EOM, EOY."""
    name = _ENDS.get(words[at].text)
    if name is None:
        return None
    day = today if name == "TODAY" else _span(name, "THIS", today)[1]
    return Mention((day - today).days, at, at + 1 + (name_at(words, at + 1) == "TAK"), 0.92, is_goal=True)


def _span(name: str, which: str, today: date) -> tuple[date, date, date]:
    """First day, last day, and the one that is meant where no part is named."""
    ahead = {"THIS": 0, "NEXT": 1, "NEXT2": 2}[which]
    if name == "WEEK":
        first = today - timedelta(days=today.weekday()) + timedelta(days=7 * ahead)
        last, same = first + timedelta(days=6), today + timedelta(days=7 * ahead)
    elif name == "MONTH":
        same = dates.add_months(today, ahead)
        first, last = same.replace(day=1), dates.month_end(same)
    elif name == "QUARTER":
        same = dates.add_months(today, 3 * ahead)
        last = dates.quarter_end(same)
        first = dates.add_months(last.replace(day=1), -2)
    else:
        same = dates.add_months(today, 12 * ahead)
        first, last = same.replace(month=1, day=1), same.replace(month=12, day=31)
    return first, last, same if ahead else last


def _fiscal(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """The end of India's financial year."""
    place = at + (name_at(words, at) == "THIS")
    if text_at(words, place) not in {"fy", "financial", "fiscal"}:
        return None
    end = place + 1 + (name_at(words, place + 1) == "YEAR")
    tail, after = _part_after(words, end)
    day = dates.day_of(today, 31, 3, None)
    return None if day is None else Mention((day - today).days, at, after if tail else end, 0.85)


def _year_after(words: Sequence[Word], at: int) -> int:
    """A year of four digits, or 0."""
    value = words[at].value if at < len(words) else None
    return int(value) if value is not None and value.denominator == 1 and 2000 <= value <= 2100 else 0


def _nth(words: Sequence[Word], at: int) -> tuple[str, int]:
    """Which of some: first, pehle, 2nd, doosre; as a digit, and the place after it."""
    if name_at(words, at) in {"FIRST", "PEHLE"}:
        return "1", at + 1
    if text_at(words, at) in _NTH:
        return str(_NTH[words[at].text]), at + 1
    if text_at(words, at + 1) in {"st", "nd", "rd", "th"} and text_at(words, at) in {"1", "2", "3", "4", "5"}:
        return words[at].text, at + 2
    return "", at


def _part_before(words: Sequence[Word], at: int) -> tuple[str, int]:
    """End of, start of, mid, first week of."""
    name, place = words[at].name, at + 1
    nth, after = _nth(words, at)
    if nth and name_at(words, after) == "WEEK":
        name, place = nth, after + 1
    elif words[at].text == "last" and name_at(words, place) == "WEEK":
        name, place = "END", place + 1
    elif name not in {"END", "SHURU", "MIDDLE"} and words[at].text not in {"beginning", "late"}:
        return "", at
    part = {"beginning": "SHURU", "late": "END"}.get(words[at].text, name)
    while text_at(words, place) in {"of", "the", "-", "in"}:
        place += 1
    following = name_at(words, place)
    if (
        following in _PERIODS
        or following in MONTHS
        or following in {"NEXT", "THIS"}
        or text_at(words, place) in {"fy", "financial", "fiscal"}
    ):
        return part, place
    return "", at


def _part_after(words: Sequence[Word], at: int) -> tuple[str, int]:
    """... ke end, end, ki shuruat, ke pehle hafte."""
    place = at
    while name_at(words, place) == "KE" or text_at(words, place) in {"-", "'", "s"}:
        place += 1
    name = name_at(words, place)
    nth, after = _nth(words, place)
    if nth and name_at(words, after) == "WEEK":
        return nth, after + 1
    if text_at(words, place) in {"last", "aakhri"} and name_at(words, place + 1) == "WEEK":
        return "END", place + 2
    if name in {"END", "SHURU", "MIDDLE"}:
        return name, place + 1
    return "", at
