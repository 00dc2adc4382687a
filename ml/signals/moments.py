"""Days that are named: today and parso, Friday, 20 tarikh, after Diwali, asap.

Not here: counted spans (`durations`), months and weeks (`periods`), the calendar itself (`dates`), what is no plan (`timelines`).
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from ml.signals import dates
from ml.signals.dates import MONTHS, WEEKDAYS
from ml.signals.lexicon import words_of
from ml.signals.numerals import Word

_WANTS = words_of("wants")
AMBIGUOUS = words_of("ambiguous")
AHEAD = frozenset(
    {"IN", "WITHIN", "BY", "BEFORE", "AFTER", "TAK", "NEXT", "THIS", "AROUND", "UPTO", "SHURU", "END", "MIDDLE", "LATER", "FROM"}
)


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


def name_at(words: Sequence[Word], at: int) -> str:
    """What the word there means; nothing beyond the ends."""
    return words[at].name if 0 <= at < len(words) else ""


def text_at(words: Sequence[Word], at: int) -> str:
    """The word there."""
    return words[at].text if 0 <= at < len(words) else ""


def relative_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Today, tomorrow, the day after, kal, parso."""
    name = words[at].name
    if name == "DAY" and name_at(words, at + 1) == "AFTER" and name_at(words, at + 2) in {"TOMORROW", "KAL"}:
        return Mention(2, at, at + 3, 0.95)
    if name == "TODAY":
        if name_at(words, at + 1) == "KAL":
            return Mention(1 if name_at(words, at + 2) in {"ME", "TAK"} else -1, at, at + 3, 0.7)
        return Mention(0, at, at + 1, 0.88, may_be_past=True)
    if name == "TOMORROW":
        return Mention(1, at, at + 1, 0.95)
    if name == "KAL":
        if name_at(words, at + 1) == "PARSO":
            return Mention(2, at, at + 2, 0.85, may_be_past=True)
        return Mention(1, at, at + 1, 0.88, may_be_past=True)
    if name in {"PARSO", "NARSO"}:
        return Mention(2 if name == "PARSO" else 3, at, at + 1, 0.88, may_be_past=True)
    return None


def soon_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Now, asap, jaldi, soon; not where it is denied."""
    word = words[at]
    if word.name == "SOON" and text_at(words, at - 1) == "as" and text_at(words, at + 1) == "as":
        return Mention(0, at, at + 3, 0.85)
    near = words[max(0, at - 3) : at] + words[at + 1 : at + 4]  # type: ignore[operator]  # both are lists
    if any(each.name in {"NOT", "RUSH"} for each in near):
        return None
    if word.name == "JALD":
        return Mention(0 if text_at(words, at + 2).startswith("jald") else 7, at, at + 1, 0.75)
    if word.name == "ASAP":
        return Mention(0, at, at + 1, 0.8)
    if word.name == "SOON":
        return Mention(7, at, at + 1, 0.7)
    if word.text == "away" and text_at(words, at - 1) == "right":
        return Mention(0, at - 1, at + 1, 0.85)
    if word.name == "NOW":
        is_firm = word.text not in {"now", "abhi", "abi"} or text_at(words, at - 1) == "right"
        is_wanted = is_firm or any(each.text in _WANTS for each in words)
        return Mention(0, at, at + 1, 0.8 if is_firm else 0.7, may_be_past=not is_firm) if is_wanted else None
    return None


def weekday_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """Friday, by Friday, next Friday, shukravar tak."""
    place, which = (at + 1, words[at].name) if words[at].name in {"NEXT", "THIS"} else (at, "")
    name = name_at(words, place)
    if name not in WEEKDAYS:
        return None
    lead = name_at(words, at - 1)
    tail = name_at(words, place + 1)
    is_led = which or lead in AHEAD or text_at(words, at - 1) in {"on", "coming", "this"} or tail in {"TAK", "PEHLE", "BAAD", "ME"}
    is_led = is_led or text_at(words, place + 1) in {"ko", "ke", "morning", "evening", "se", "subah", "shaam"}
    if not is_led and text_at(words, place) in AMBIGUOUS:
        return None
    number = WEEKDAYS.index(name)
    is_next = which == "NEXT" and text_at(words, at) in {"next", "nxt", "agle", "agla", "agli"}
    day = dates.next_weekday(today, number) if is_next else dates.coming_weekday(today, number)
    days, end = shifted(words, at, place + 1, (day - today).days)
    return Mention(days, at, end, 0.9 if is_led else 0.75, may_be_past=True)


def festival_anchor(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    """The coming festival that words from `at` on name."""
    if not 0 <= at < len(words) or not words[at].text.isalpha():
        return None
    place = at
    pair = words[place].text + text_at(words, place + 1)
    found = dates.festival(pair) if place + 1 < len(words) and pair.isalpha() else None
    end = place + 2
    if found is None:
        found, end = dates.festival(words[place].text), place + 1
    if found is None:
        return None
    day = dates.festival_date(found, today)
    while text_at(words, end) in {
        "day",
        "chaturthi",
        "bandhan",
        "tritiya",
        "padwa",
        "puja",
        "pooja",
        "chauth",
        "festival",
        "fest",
        "vacation",
        "holidays",
    }:
        end += 1
    return None if day is None else Anchor(day, end)


def festival_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """After Diwali, Holi se pehle, for Christmas; a festival without such a word is no plan."""
    anchor = festival_anchor(words, at, today)
    if anchor is None:
        return None
    lead = name_at(words, at - 1)
    start = at - 1
    if lead in {"THIS", "NEXT"} or text_at(words, at - 1) in {"the", "on"}:
        lead, start = name_at(words, at - 2) or lead, at - 2
    days = (anchor.day - today).days
    ahead, end = shifted(words, at, anchor.end, days)
    follows = {text_at(words, place) for place in range(anchor.end, anchor.end + 3)}
    is_led = lead in AHEAD or text_at(words, at - 1) in {"for", "on", "during", "post", "pre"} or end > anchor.end
    is_led = is_led or text_at(words, anchor.end).startswith("20")  # Diwali 2026
    if not is_led and not follows & {"pe", "par", "ko", "liye", "time", "samay", "aaspaas", "mein", "aas"}:
        return None
    if (ahead == days and lead in {"AFTER", "BEFORE"}) or text_at(words, at - 1) in {"post", "pre"}:
        ahead = days + 1 if lead == "AFTER" or text_at(words, at - 1) == "post" else days - 1
    return Mention(max(ahead, 0), max(start, 0), end, 0.93)


def calendar_day_at(words: Sequence[Word], at: int, today: date) -> Mention | None:
    """15 March, March 15th 2027, 15/03, 2026-04-01, 20 tarikh, the 20th."""
    found = _written(words, at, today) or _numeric(words, at, today)
    if found is None:
        return None
    if found.day < today:
        return Mention(-1, at, found.end, 0.0)
    days, end = shifted(words, at, found.end, (found.day - today).days)
    return Mention(days, at, end, 0.95)


_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{2}|\d{4})")


def _whole(word: Word, most: int) -> int | None:
    value = word.value
    return int(value) if value is not None and value.denominator == 1 and 0 < value <= most else None


def _written(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    day, place = _whole(words[at], 31), at + 1
    if words[at].name == "FIRST" and name_at(words, place) == "TARIKH":
        day = 1
    if day is not None:
        is_ordinal = text_at(words, place) in {"st", "nd", "rd", "th"}
        place += is_ordinal
        place += text_at(words, place) == "of"
        if name_at(words, place) in MONTHS:
            year, end = _year(words, place + 1)
            found = dates.day_of(today, day, MONTHS.index(words[place].name) + 1, year)
            return Anchor(found or date.min, end)
        if (is_ordinal or text_at(words, place - 1) == "of") and name_at(words, place) in {"NEXT", "THIS"}:
            return _of_month(words, place, place + 2, day, today)
        is_day = name_at(words, place) == "TARIKH" or (
            is_ordinal and text_at(words, at - 1) in {"the", "by", "on", "before", "after", "till", "is", "until"}
        )
        is_day = is_day or (is_ordinal and text_at(words, place) in {"tak", "ko", "se"})
        coming = dates.coming_day(today, day) if is_day else None
        return None if coming is None else Anchor(coming, place + (name_at(words, place) == "TARIKH"))
    if words[at].name in {"NEXT", "THIS"} and name_at(words, at + 1) == "MONTH":
        place = at + 2 + (name_at(words, at + 2) == "KE")
        day = _whole(words[place], 31) if place < len(words) else None
        if day is not None and (name_at(words, place + 1) == "TARIKH" or text_at(words, place + 1) in {"st", "nd", "rd", "th"}):
            return _of_month(words, at, place + 2, day, today)
        return None
    if words[at].name in MONTHS and at + 1 < len(words):
        day = _whole(words[at + 1], 31)
        following = text_at(words, at + 2)
        if day is not None and not (
            words[at + 2].is_glued and following not in {"st", "nd", "rd", "th", ",", "."} if at + 2 < len(words) else False
        ):
            year, end = _year(words, at + 2 + (following in {"st", "nd", "rd", "th"}))
            return Anchor(dates.day_of(today, day, MONTHS.index(words[at].name) + 1, year) or date.min, end)
    return None


def _of_month(words: Sequence[Word], which: int, end: int, day: int, today: date) -> Anchor | None:
    """That day of this or of the next month."""
    if name_at(words, which + 1) != "MONTH":
        return None
    month = dates.add_months(today.replace(day=1), int(words[which].name == "NEXT"))
    return Anchor(dates.day_of(today, day, month.month, month.year) or date.min, end)


def _year(words: Sequence[Word], at: int) -> tuple[int | None, int]:
    place = at + (text_at(words, at) == ",")
    if place < len(words) and (year := _whole(words[place], 2100)) is not None and year >= 2000:
        return year, place + 1
    return None, at


def _numeric(words: Sequence[Word], at: int, today: date) -> Anchor | None:
    """Day first, as in India; 2026-04-01 year first."""
    if dotted := _DOTTED.fullmatch(words[at].text):
        day, month, year = map(int, dotted.groups())
        return Anchor(dates.day_of(today, day, month, year if year >= 100 else 2000 + year) or date.min, at + 1)
    sign = text_at(words, at + 1)
    if sign not in {"/", "-"} or at + 2 >= len(words) or not words[at + 1].is_glued or not words[at + 2].is_glued:
        return None
    one, two = _whole(words[at], 2100), _whole(words[at + 2], 2100)
    if one is None or two is None:
        return None
    third = _whole(words[at + 4], 2100) if text_at(words, at + 3) == sign and at + 4 < len(words) and words[at + 4].is_glued else None
    if third is None:
        if sign == "-" or one > 31 or two > 12:
            return None
        return Anchor(dates.day_of(today, one, two, None) or date.min, at + 3)
    if one >= 2000:
        return Anchor(dates.day_of(today, third, two, one) or date.min, at + 5)
    if two > 12:  # the American way
        one, two = two, one
    return Anchor(dates.day_of(today, one, two, third if third >= 100 else 2000 + third) or date.min, at + 5)


def shifted(words: Sequence[Word], at: int, end: int, days: int) -> tuple[int, int]:
    """Before and after it, and where that word ends."""
    lead = name_at(words, at - 1 - (text_at(words, at - 1) == "the"))
    if lead == "BEFORE":
        return max(days - 1, 0), end
    if lead == "AFTER":
        return days + 1, end
    place = end + (text_at(words, end) in {"se", "ke", "ki", "ka"})
    if name_at(words, place) == "PEHLE":
        return max(days - 1, 0), place + 1
    if name_at(words, place) == "BAAD":
        return days + 1, place + 1
    return days, end + (name_at(words, end) == "TAK")
