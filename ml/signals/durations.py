"""Spans that are counted: in 3 weeks, 2-3 din mein, agle 10 din, dedh mahine baad, a week or two.

Not here: what else names a time (`moments`).
"""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from ml.signals.lexicon import words_of
from ml.signals.moments import Mention, festival_anchor
from ml.signals.numerals import Word, number_at

DAYS: dict[str, Fraction | int] = {
    "DAY": 1,
    "WEEK": 7,
    "MONTH": 30,
    "YEAR": 365,
    "QUARTER": 91,
    "FORTNIGHT": 14,
    "HOUR": Fraction(1, 24),
    "WEEKEND": 7,
}
_LEADS = frozenset({"IN", "WITHIN", "UNDER", "NEXT", "AFTER", "BY", "UPTO", "AROUND", "ANDAR", "LATER", "BEFORE"})
_TAILS = frozenset({"ME", "ANDAR", "TAK", "BAAD", "LATER", "UPTO", "AFTER"})
_FILLERS = words_of("duration_fillers")
_SHORT = 5
"""Words of a message that may be nothing but an answer to "when?"."""


def duration_at(words: Sequence[Word], at: int, today: date) -> Mention | None:  # noqa: PLR0912 — one reading, its cases in order
    """A counted span that begins at a word, if something says that it lies ahead."""
    first = number_at(words, at)
    bare = first is None
    if first is None:  # mahine bhar mein, hafte ke andar
        if words[at].name not in {"WEEK", "MONTH", "YEAR", "DAY", "FORTNIGHT"} or (
            at and (words[at - 1].value is not None or words[at - 1].name in {"THIS", "NEXT", "LAST"})
        ):
            return None
        value, place = Fraction(1), at
    else:
        value, place = first.value, first.end
        second, place = _other_end(words, place)
        value = value if second is None else second
    if first is not None and first.scale > 1:
        return None
    if place < len(words) and words[place].text == "-" and place + 1 < len(words) and words[place + 1].name in DAYS:
        place += 1
    if place < len(words) and words[place].text in {"working", "business", "calendar"}:
        place += 1
    unit = _unit(words, place)
    if unit is None:
        return None
    days = Fraction(value * unit)
    place += 1
    if place < len(words) and words[place].name == "OR" and place + 1 < len(words) and (words[place + 1].number or 0) > 1:
        days, place = Fraction((words[place + 1].number or 0) * unit), place + 2  # a week or two
    elif (more := number_at(words, place + (place < len(words) and words[place].name == "AND"))) is not None and more.scale == 1:
        smaller = _unit(words, more.end)  # 1 month 15 days
        if smaller is not None and smaller < unit:
            days, place = days + more.value * smaller, more.end + 1
    anchored = _anchored(words, at, place, today, round(days))
    if anchored is not None:
        return anchored
    lead, start = _lead(words, at)
    tail, end = _tail(words, place)
    if bare and tail not in {"ME", "ANDAR", "BHAR", "BAAD"} and words[at].name != "FORTNIGHT":
        return None
    if tail in {"PEHLE", "SE"} or lead == "SINCE":
        return Mention(-1, start, end, 0.0)
    if not lead and not tail:
        is_answer = len([each for each in words if each.text not in {".", ",", "!", "?"}]) <= _SHORT
        if not is_answer:
            return None
        return Mention(_whole(days), start, end, 0.75, may_be_past=True)
    return Mention(_whole(days), start, end, 0.93, may_be_past=lead == "" and tail == "BAAD", is_goal=True)


def _whole(days: Fraction | int) -> int:
    """Hours of less than a day are today; half a day more is the next."""
    return int(days + Fraction(1, 2)) if days >= 1 else 0


def _unit(words: Sequence[Word], at: int) -> Fraction | int | None:
    return DAYS.get(words[at].name) if at < len(words) else None


def _other_end(words: Sequence[Word], at: int) -> tuple[Fraction | None, int]:
    """2-3, do se teen, do teen, 10 ya 15."""
    if at >= len(words):
        return None, at
    joined = words[at].name in {"TO", "SE", "OR", "AND"} or words[at].text in {"-", "/", "~"}
    second = number_at(words, at + 1 if joined else at)
    if second is None or second.scale > 1 or _unit(words, second.end) is None:
        return None, at
    return second.value, second.end


def _anchored(words: Sequence[Word], at: int, end: int, today: date, days: int) -> Mention | None:
    """Two weeks after Diwali, Diwali ke do hafte baad."""
    if end < len(words) and words[end].name in {"AFTER", "BEFORE"}:
        anchor = festival_anchor(words, end + 1, today)
        if anchor is not None:
            return Mention((anchor.day - today).days + (days if words[end].name == "AFTER" else -days), at, anchor.end, 0.93)
    for back in (1, 2, 3):
        if at - back < 0:
            break
        anchor = festival_anchor(words, at - back, today)
        place = end + 1 if end < len(words) and words[end].name == "KE" else end
        if anchor is not None and anchor.end <= at and place < len(words) and words[place].name in {"BAAD", "PEHLE"}:
            return Mention((anchor.day - today).days + (days if words[place].name == "BAAD" else -days), at - back, place + 1, 0.95)
    return None


def _lead(words: Sequence[Word], at: int) -> tuple[str, int]:
    place = at - 1
    while place >= 0 and at - place < 5:
        word = words[place]
        if word.name == "SINCE" or word.text in {"last", "past"}:
            return "SINCE", place
        if word.name in _LEADS and word.name not in {"AROUND"}:
            return word.name, place
        if word.text not in _FILLERS and word.name != "AROUND":
            break
        place -= 1
    return "", at


def _tail(words: Sequence[Word], at: int) -> tuple[str, int]:
    place = at
    while place < len(words) and place - at < 3:
        word = words[place]
        if word.name in _TAILS:
            return word.name, place + 1
        if word.name == "FROM" and place + 1 < len(words) and words[place + 1].name in {"NOW", "TODAY"}:
            return "LATER", place + 2
        if word.text in {
            "bhar",
            "time",
            "timeline",
            "timeframe",
            "max",
            "maximum",
            "lagega",
            "lagenge",
            "chahiye",
            "hence",
            "rukenge",
            "rukunga",
        }:
            return "BHAR" if word.text == "bhar" else "ME", place + 1
        if word.name == "SE" and place + 1 < len(words) and words[place + 1].name == "PEHLE":
            return "ANDAR", place + 2
        if word.name in {"PEHLE", "AGO"}:
            return "PEHLE", place + 1
        if word.name == "SE":
            return "SE", place + 1
        if word.name != "KE" and word.text not in {"hi", "bhi", "or", "so", "ya", "ko", "'"}:
            break
        place += 1
    return "", at
