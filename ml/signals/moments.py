"""Days that are named: today and parso, Friday, 20 tarikh, next month, the end of April, after Diwali, asap.

Not here: counted spans (`durations`), the calendar itself (`dates`), what is no plan (`timelines`).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from ml.signals import dates
from ml.signals.dates import MONTHS, WEEKDAYS
from ml.signals.numerals import Word

_WANTS = frozenset(
    "chahiye chahie chaahie chahiyega lena leni lunga lungi lenge lete loonga kharidna khareedna kharidenge buy buying need needed want required require "
    "book booking order purchase pay start join karna karni karenge karunga karte karo kardo bhejo bhej send finalize finalise final done confirm get "
    "jaldi available deliver delivery ready shuru can".split()
)
_AMBIGUOUS = frozenset({"may", "mar", "jan", "dec", "sep", "mon", "sat", "sun", "wed", "march", "august", "mangal", "fri", "tue", "thu", "oct"})
_AHEAD = frozenset({"IN", "WITHIN", "BY", "BEFORE", "AFTER", "TAK", "NEXT", "THIS", "AROUND", "UPTO", "SHURU", "END", "MIDDLE", "LATER", "FROM"})


class Mention(NamedTuple):
    """A time that words[start:end] name, in days from today; below 0: it is none. `may_be_past`: a verb after it decides."""

    days: int
    start: int
    end: int
    sureness: float
    may_be_past: bool = False
    is_goal: bool = False


class Anchor(NamedTuple):
    """A day that words up to `end` name."""

    day: date
    end: int


def _name(words: Sequence[Word], at: int) -> str:
    return words[at].name if 0 <= at < len(words) else ""


def _text(words: Sequence[Word], at: int) -> str:
    return words[at].text if 0 <= at < len(words) else ""


def relative_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Today, tomorrow, the day after, kal, parso."""
    name = words[at].name
    if name == "DAY" and _name(words, at + 1) == "AFTER" and _name(words, at + 2) in {"TOMORROW", "KAL"}:
        return Mention(2, at, at + 3, 0.95)
    if name == "TODAY":
        if _name(words, at + 1) == "KAL":
            return Mention(1 if _name(words, at + 2) in {"ME", "TAK"} else -1, at, at + 3, 0.7)
        return Mention(0, at, at + 1, 0.88, may_be_past=True)
    if name == "TOMORROW":
        return Mention(1, at, at + 1, 0.95)
    if name == "KAL":
        if _name(words, at + 1) == "PARSO":
            return Mention(2, at, at + 2, 0.85, may_be_past=True)
        return Mention(1, at, at + 1, 0.88, may_be_past=True)
    if name in {"PARSO", "NARSO"}:
        return Mention(2 if name == "PARSO" else 3, at, at + 1, 0.88, may_be_past=True)
    return None


def soon_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Now, asap, jaldi, soon; not where it is denied."""
    word = words[at]
    if word.name == "SOON" and _text(words, at - 1) == "as" and _text(words, at + 1) == "as":
        return Mention(0, at, at + 3, 0.85)
    near = words[max(0, at - 3) : at] + words[at + 1 : at + 4]  # type: ignore[operator]  # both are lists
    if any(each.name in {"NOT", "RUSH"} for each in near):
        return None
    if word.name == "JALD":
        return Mention(0 if _text(words, at + 2).startswith("jald") else 7, at, at + 1, 0.75)
    if word.name == "ASAP":
        return Mention(0, at, at + 1, 0.8)
    if word.name == "SOON":
        return Mention(7, at, at + 1, 0.7)
    if word.name == "NOW":
        is_firm = word.text not in {"now", "abhi", "abi"} or _text(words, at - 1) == "right"
        is_wanted = is_firm or any(each.text in _WANTS for each in words)
        return Mention(0, at, at + 1, 0.8 if is_firm else 0.7, may_be_past=not is_firm) if is_wanted else None
    return None


def weekday_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Friday, by Friday, next Friday, shukravar tak."""
    place, which = (at + 1, words[at].name) if words[at].name in {"NEXT", "THIS"} else (at, "")
    name = _name(words, place)
    if name not in WEEKDAYS:
        return None
    lead = _name(words, at - 1)
    tail = _name(words, place + 1)
    is_led = which or lead in _AHEAD or _text(words, at - 1) in {"on", "coming", "this"} or tail in {"TAK", "PEHLE", "BAAD", "ME"}
    is_led = is_led or _text(words, place + 1) in {"ko", "ke", "morning", "evening", "se", "subah", "shaam"}
    if not is_led and _text(words, place) in _AMBIGUOUS:
        return None
    number = WEEKDAYS.index(name)
    day = dates.next_weekday(today, number) if which == "NEXT" else dates.coming_weekday(today, number)
    days, end = _shifted(words, at, place + 1, (day - today).days)
    return Mention(days, at, end, 0.9 if is_led else 0.75, may_be_past=True)


def festival_anchor(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    """The coming festival that words from `at` on name."""
    if not 0 <= at < len(words) or not words[at].text.isalpha():
        return None
    place = at
    pair = words[place].text + _text(words, place + 1)
    found = dates.festival(pair) if place + 1 < len(words) and pair.isalpha() else None
    end = place + 2
    if found is None:
        found, end = dates.festival(words[place].text), place + 1
    if found is None:
        return None
    day = dates.festival_date(found, today)
    while _text(words, end) in {"day", "chaturthi", "bandhan", "tritiya", "padwa", "puja", "pooja", "chauth", "festival", "fest", "vacation", "holidays"}:
        end += 1
    return None if day is None else Anchor(day, end)


def festival_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """After Diwali, Holi se pehle, for Christmas; a festival without such a word is no plan."""
    anchor = festival_anchor(words, at, today)
    if anchor is None:
        return None
    lead = _name(words, at - 1)
    start = at - 1
    if lead in {"THIS", "NEXT"} or _text(words, at - 1) in {"the", "on"}:
        lead, start = _name(words, at - 2) or lead, at - 2
    days = (anchor.day - today).days
    shifted, end = _shifted(words, at, anchor.end, days)
    follows = {_text(words, place) for place in range(anchor.end, anchor.end + 3)}
    is_led = lead in _AHEAD or _text(words, at - 1) in {"for", "on", "during", "post", "pre"} or end > anchor.end
    if not is_led and not follows & {"pe", "par", "ko", "liye", "time", "samay", "aaspaas", "mein", "aas"}:
        return None
    if shifted == days and lead in {"AFTER", "BEFORE"} or _text(words, at - 1) in {"post", "pre"}:
        shifted = days + 1 if lead == "AFTER" or _text(words, at - 1) == "post" else days - 1
    return Mention(max(shifted, 0), max(start, 0), end, 0.93)


def calendar_day_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """15 March, March 15th 2027, 15/03, 2026-04-01, 20 tarikh, the 20th."""
    found = _written(words, at, today) or _numeric(words, at, today)
    if found is None:
        return None
    if found.day < today:
        return Mention(-1, at, found.end, 0.0)
    days, end = _shifted(words, at, found.end, (found.day - today).days)
    return Mention(days, at, end, 0.95)


def _whole(word: Word, most: int) -> int | None:
    value = word.value
    return int(value) if value is not None and value.denominator == 1 and 0 < value <= most else None


def _written(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    day, place = _whole(words[at], 31), at + 1
    if day is not None:
        is_ordinal = _text(words, place) in {"st", "nd", "rd", "th"}
        place += is_ordinal
        place += _text(words, place) == "of"
        if _name(words, place) in MONTHS:
            year, end = _year(words, place + 1)
            found = dates.day_of(today, day, MONTHS.index(words[place].name) + 1, year)
            return Anchor(found or date.min, end)
        is_day = _name(words, place) == "TARIKH" or (is_ordinal and _text(words, at - 1) in {"the", "by", "on", "before", "after", "till", "is", "until"})
        is_day = is_day or (is_ordinal and _text(words, place) in {"tak", "ko", "se"})
        coming = dates.coming_day(today, day) if is_day else None
        return None if coming is None else Anchor(coming, place + (_name(words, place) == "TARIKH"))
    if words[at].name in MONTHS and at + 1 < len(words):
        day = _whole(words[at + 1], 31)
        following = _text(words, at + 2)
        if day is not None and not (words[at + 2].is_glued and following not in {"st", "nd", "rd", "th", ",", "."} if at + 2 < len(words) else False):
            year, end = _year(words, at + 2 + (following in {"st", "nd", "rd", "th"}))
            return Anchor(dates.day_of(today, day, MONTHS.index(words[at].name) + 1, year) or date.min, end)
    return None


def _year(words: Sequence[Word], at: int) -> tuple[int | None, int]:
    place = at + (_text(words, at) == ",")
    if place < len(words) and (year := _whole(words[place], 2100)) is not None and year >= 2000:
        return year, place + 1
    return None, at


def _numeric(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    """Day first, as in India; 2026-04-01 year first."""
    sign = _text(words, at + 1)
    if sign not in {"/", "-"} or at + 2 >= len(words) or not words[at + 1].is_glued or not words[at + 2].is_glued:
        return None
    one, two = _whole(words[at], 2100), _whole(words[at + 2], 2100)
    if one is None or two is None:
        return None
    third = _whole(words[at + 4], 2100) if _text(words, at + 3) == sign and at + 4 < len(words) and words[at + 4].is_glued else None
    if third is None:
        if sign == "-" or one > 31 or two > 12:
            return None
        return Anchor(dates.day_of(today, one, two, None) or date.min, at + 3)
    if one >= 2000:
        return Anchor(dates.day_of(today, third, two, one) or date.min, at + 5)
    if two > 12:  # the American way
        one, two = two, one
    return Anchor(dates.day_of(today, one, two, third if third >= 100 else 2000 + third) or date.min, at + 5)


_PERIODS = frozenset({"WEEK", "MONTH", "YEAR", "QUARTER", "WEEKEND"})


def period_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """This week, next month, agle mahine ke end tak, mid April, month end, first week of May."""
    part, place = _part_before(words, at)
    which = ""
    if _name(words, place) in {"NEXT", "THIS"}:
        which, place = words[place].name, place + 1
        if which == "NEXT" and _text(words, place) in {"se", "to"} and _name(words, place + 1) == "NEXT":
            which, place = "NEXT2", place + 2
    name = _name(words, place)
    end = place + 1
    if name in _PERIODS and which != "NEXT2" and _name(words, end) == "AFTER" and _name(words, end + 1) == "NEXT":
        which, end = "NEXT2", end + 2
    if name not in _PERIODS and name not in MONTHS:
        if name == "DAY" and which == "NEXT":
            return Mention(1, at, end, 0.85)
        if part != "END" or _text(words, place) not in {"financial", "fiscal", "fy"}:
            return _fiscal(words, at, today)
        return _fiscal(words, place, today)
    tail, after = _part_after(words, end)
    part, end = part or tail, after if tail else end
    is_led = bool(part or which) or _name(words, at - 1) in _AHEAD or _name(words, end) in {"TAK", "ME", "BAAD", "PEHLE", "ANDAR"}
    is_led = is_led or (_text(words, end) in {"se", "ke"} and _name(words, end + 1) in {"PEHLE", "BAAD", "ANDAR"})
    if name in MONTHS:
        if not is_led and (_text(words, place) in _AMBIGUOUS or len(words) > 4):
            return None
        first = dates.coming_month(today, MONTHS.index(name) + 1)
        last = dates.month_end(first)
        default = last
    elif name == "WEEKEND":
        if not (which or _name(words, at - 1) in _AHEAD or _text(words, at - 1) in {"the", "on"} or _name(words, end) in {"TAK", "ME"} or _text(words, end) in {"pe", "par", "ko"}):
            return None
        first = dates.coming_weekend(today) + timedelta(days=7 * (which == "NEXT"))
        last, default = first + timedelta(days=1), first
    elif not which and not part:
        if not (name == "WEEK" or name == "MONTH") or _text(words, at - 1) != "the" or _text(words, at - 2) not in {"within", "in"}:
            return None
        first, last, default = _span(name, "THIS", today)
    else:
        first, last, default = _span(name, which or "THIS", today)
    day = {"END": last, "SHURU": max(first, today), "MIDDLE": first + (last - first) / 2, "FIRST": min(first + timedelta(days=6), last)}.get(part, default)
    if part == "MIDDLE" and name not in {"WEEK", "YEAR"}:
        day = first + timedelta(days=14)
    if day < today:
        day = last
    if part == "" and name in MONTHS and (_name(words, at - 1) == "BEFORE" or (_text(words, end) == "se" and _name(words, end + 1) == "PEHLE")):
        return Mention(max((first - today).days - 1, 0), at, end + 2, 0.9)
    days, end = _shifted(words, at, end, (day - today).days)
    return Mention(days, at, end, 0.92, is_goal=True)


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
    place = at + (_name(words, at) == "THIS")
    if _text(words, place) not in {"fy", "financial", "fiscal"}:
        return None
    end = place + 1 + (_name(words, place + 1) == "YEAR")
    tail, after = _part_after(words, end)
    day = dates.day_of(today, 31, 3, None)
    return None if day is None else Mention((day - today).days, at, after if tail else end, 0.85)


def _part_before(words: Sequence[Word], at: int) -> tuple[str, int]:
    """End of, start of, mid, first week of."""
    name, place = words[at].name, at + 1
    if name == "FIRST" and _name(words, place) == "WEEK":
        place += 1
    elif words[at].text == "last" and _name(words, place) == "WEEK":
        name, place = "END", place + 1
    elif name not in {"END", "SHURU", "MIDDLE"} and words[at].text not in {"beginning", "late"}:
        return "", at
    part = {"beginning": "SHURU", "late": "END"}.get(words[at].text, name)
    while _text(words, place) in {"of", "the", "-", "in"}:
        place += 1
    following = _name(words, place)
    if following in _PERIODS or following in MONTHS or following in {"NEXT", "THIS"} or _text(words, place) in {"fy", "financial", "fiscal"}:
        return part, place
    return "", at


def _part_after(words: Sequence[Word], at: int) -> tuple[str, int]:
    """... ke end, end, ki shuruat, ke pehle hafte."""
    place = at
    while _name(words, place) == "KE" or _text(words, place) in {"-", "'", "s"}:
        place += 1
    name = _name(words, place)
    if name in {"FIRST", "PEHLE"} and _name(words, place + 1) == "WEEK":
        return "FIRST", place + 2
    if _text(words, place) in {"last", "aakhri"} and _name(words, place + 1) == "WEEK":
        return "END", place + 2
    if name in {"END", "SHURU", "MIDDLE"}:
        return name, place + 1
    return "", at


def _shifted(words: Sequence[Word], at: int, end: int, days: int) -> tuple[int, int]:
    """Before and after it, and where that word ends."""
    lead = _name(words, at - 1)
    if lead == "BEFORE":
        return max(days - 1, 0), end
    if lead == "AFTER":
        return days + 1, end
    place = end + (_text(words, end) in {"se", "ke", "ki", "ka"})
    if _name(words, place) == "PEHLE":
        return max(days - 1, 0), place + 1
    if _name(words, place) == "BAAD":
        return days + 1, place + 1
    return days, end + (_name(words, end) == "TAK")
