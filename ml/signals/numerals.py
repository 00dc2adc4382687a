"""Numbers as people say them: digits in any grouping, words, dhai and sava, lakh and k, several scales in one ("1 lakh 25 hazaar").

Here belongs one number in a row of words. Not here: what is counted (`amounts`, `timelines`).
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from ml.signals import lexicon
from ml.signals.words import latin, tokens


class Word(NamedTuple):
    """A token with what it means: `name` of the lexicon, `number` that a word of it says, `value` of digits."""

    text: str
    name: str
    number: int | None
    value: Fraction | None
    is_glued: bool
    start: int
    end: int


class Number(NamedTuple):
    """A number said in words[start:end]. `scale` is the largest that was named, 1 without; `is_sure`: by digits or a scale."""

    value: Fraction
    scale: int
    start: int
    end: int
    is_sure: bool
    is_grouped: bool


SCALES = {"THOUSAND": 1_000, "LAKH": 100_000, "CRORE": 10_000_000, "MILLION": 1_000_000, "BILLION": 1_000_000_000}
_LETTERS = {"k": 1_000, "l": 100_000, "m": 1_000_000, "b": 1_000_000_000, "c": 10_000_000}
_SPACED = frozenset("kl")
_AFTER_KE = frozenset({"liye", "andar", "baad", "pehle", "upar", "neeche", "paas", "saath", "aas", "around", "under"})
UNITS = frozenset({"DAY", "WEEK", "MONTH", "YEAR", "HOUR", "MINUTE", "QUARTER", "FORTNIGHT", "WEEKEND"})
_COUNTED = UNITS | SCALES.keys() | {"HUNDRED", "RUPEE", "DOLLAR", "EURO", "POUND", "DIRHAM", "RIYAL", "TARIKH"}
_GROUPED = re.compile(r"\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?")
_FIXED = {"DHAI": Fraction(5, 2), "DEDH": Fraction(3, 2)}
_SHIFT = {"SAVA": Fraction(1, 4), "SADHE": Fraction(1, 2), "PAUNE": Fraction(-1, 4)}


def read_folded(folded: str) -> list[Word]:
    """Words of folded text, in Latin letters."""
    words = []
    for each in tokens(latin(folded)):
        if each.kind == "word":
            text = each.text[:-3] if each.is_glued and each.text.endswith("ish") else each.text  # 50kish, 50ish
            if not text:
                continue
            words.append(Word(text, lexicon.meaning(text), lexicon.number(text), None, each.is_glued, each.start, each.end))
        else:
            value = digits(each.text) if each.kind == "number" else None
            words.append(Word(each.text, "", None, value, each.is_glued, each.start, each.end))
    return words


def digits(text: str) -> Fraction | None:
    """The value of digits with commas of any grouping; a single comma before one or two digits is a decimal one. Dates have none.

    >>> digits("1,50,000"), digits("1.25"), digits("2,5")
    (Fraction(150000, 1), Fraction(5, 4), Fraction(5, 2))
    """
    if text.count(".") > 1:
        return None
    if "," in text and not _GROUPED.fullmatch(text):
        head, _, tail = text.partition(",")
        if len(tail) > 2 or not tail.isdigit():
            return None
        text = f"{head}.{tail}"
    return Fraction(text.replace(",", ""))


def number_at(words: Sequence[Word], at: int) -> Number | None:
    """The longest number that begins at a word."""
    first = _term(words, at)
    if first is None:
        return None
    found = first
    while True:  # 1 lakh 25 hazaar; two thousand five hundred
        place = found.end
        if place < len(words) and words[place].name == "AND":
            place += 1
        nxt = _term(words, place)
        if nxt is None or found.scale == 1 or nxt.value >= found.scale:
            return found
        said_hundred = nxt.scale == 1 and any(each.name == "HUNDRED" for each in words[nxt.start : nxt.end])
        if not (1 < nxt.scale < found.scale or said_hundred):
            return found
        found = Number(found.value + nxt.value, found.scale, found.start, nxt.end, True, found.is_grouped)


def _term(words: Sequence[Word], at: int) -> Number | None:
    """A number with at most one scale."""
    if at >= len(words):
        return None
    word = words[at]
    value, end, is_sure = _fraction(words, at)
    if value is None:
        return None
    if end < len(words) and words[end].name == "AND":  # two and a half
        half = end + 2 if end + 1 < len(words) and words[end + 1].text in {"a", "ek"} else end + 1
        if half < len(words) and words[half].name == "HALF":
            value, end = value + Fraction(1, 2), half + 1
    scale, end = _scale(words, end, word.value is not None or word.text in lexicon.ENGLISH)
    is_sure = is_sure or scale > 1 or value >= 100
    if not is_sure and not _is_counted(words, end):
        return None
    is_grouped = "," in word.text and bool(_GROUPED.fullmatch(word.text))
    return Number(value * scale, scale, at, end, is_sure, is_grouped)


def _fraction(words: Sequence[Word], at: int) -> tuple[Fraction | None, int, bool]:
    """Value, end and whether it is a number for sure."""
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else None
    if word.name in _FIXED:
        return _FIXED[word.name], at + 1, False
    if word.name in _SHIFT:
        base, end, _ = _plain(words, at + 1)
        whole = Fraction(1) if base is None else base
        if word.name == "SADHE" and base is None:
            return None, at, False
        return whole + _SHIFT[word.name], end if base is not None else at + 1, False
    if word.name == "QUARTER" and following is not None and following.name in SCALES:
        return Fraction(1, 4), at + 1, False
    if word.name == "HALF" and following is not None:
        skip = at + 2 if following.text in {"a", "an"} else at + 1
        return Fraction(1, 2), skip, False
    if word.text in {"a", "an"} and following is not None:
        if following.text in {"couple", "few"}:
            return _few(words, at + 1)
        return (Fraction(1), at + 1, False) if following.name in _COUNTED else (None, at, False)
    if word.text in {"couple", "few", "kuch", "kuchh", "chand", "thode"}:
        return _few(words, at)
    return _plain(words, at)


def _few(words: Sequence[Word], at: int) -> tuple[Fraction | None, int, bool]:
    end = at + 2 if at + 1 < len(words) and words[at + 1].text == "of" else at + 1
    return Fraction(2 if words[at].text == "couple" else 3), end, False


def _plain(words: Sequence[Word], at: int) -> tuple[Fraction | None, int, bool]:
    """Digits, or words as far as they go: twenty five, do sau pachas."""
    if at >= len(words):
        return None, at, False
    if words[at].value is not None:
        value, end = words[at].value, at + 1
        if value is not None and end < len(words) and words[end].name == "HUNDRED":
            return value * 100, end + 1, True
        return value, end, True
    total, end, is_english = 0, at, False
    while end < len(words):
        word = words[end]
        if word.number is not None and (total == 0 or (total % 100 == 0 and word.number < 100) or _is_ones(total, word)):
            total, is_english = total + word.number, is_english or word.text in lexicon.ENGLISH
            end += 1
        elif (word.name == "HUNDRED" or _is_sau(words, end)) and (end == at or 0 < total < 100):
            total, end = max(total, 1) * 100, end + 1
        elif (word.text == "-" and 20 <= total < 100 and end + 1 < len(words) and _is_ones(total, words[end + 1])) or (
            word.name == "AND" and total and total % 100 == 0 and end + 1 < len(words) and (words[end + 1].number or 0) > 9
        ):
            end += 1
        else:
            break
    if end == at or not total:
        return None, at, False
    if is_english and end + 1 < len(words) and words[end].text == "point" and 0 <= lexicon.ENGLISH.get(words[end + 1].text, -1) < 10:
        return total + Fraction(lexicon.ENGLISH[words[end + 1].text], 10), end + 2, False
    if total == 1 and end < len(words) and words[end].text in {"aadh", "adh"}:  # ek aadh mahine: one or so
        end += 1
    return Fraction(total), end, False


def _is_sau(words: Sequence[Word], at: int) -> bool:
    """The `so` of do so rupaye."""
    return words[at].text == "so" and at + 1 < len(words) and words[at + 1].name == "RUPEE"


def _is_ones(total: int, word: Word) -> bool:
    return total % 10 == 0 and 20 <= total % 100 < 100 and word.number is not None and 0 < word.number < 10 and word.text in lexicon.ENGLISH


def _scale(words: Sequence[Word], at: int, is_digits: bool) -> tuple[int, int]:
    scale = 1
    while at < len(words):
        word = words[at]
        if word.name in SCALES:
            scale, at = scale * SCALES[word.name], at + 1
        elif is_digits and scale == 1 and word.text in _LETTERS and (word.is_glued or word.text in _SPACED):
            following = words[at + 1] if at + 1 < len(words) else None
            if following is not None and ((not word.is_glued and following.text in _AFTER_KE) or (following.is_glued and following.value)):
                break
            scale, at = _LETTERS[word.text], at + 1
        else:
            break
    return scale, at


def _is_counted(words: Sequence[Word], at: int) -> bool:
    """Whether what follows is counted, maybe after the other end of a range: do teen din, do se teen lakh."""
    if at >= len(words):
        return False
    if words[at].name in _COUNTED:
        return True
    if words[at].name in {"SE", "TO", "OR"} or words[at].text in {"-", "ya"}:
        at += 1
    if at < len(words) and (words[at].number is not None or words[at].value is not None or words[at].name in _FIXED.keys() | _SHIFT.keys()):
        return at + 1 < len(words) and (words[at + 1].name in _COUNTED or _is_counted(words, at + 1))
    return False
