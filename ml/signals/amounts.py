"""What somebody would spend, by the words of a message: low, high and currency, in the currency's smallest unit.

Here belongs the grammar of money: ranges, bounds, and which numbers are no money (sizes, what was paid). Not here: numbers themselves
(`numerals`), currencies (`money`), phones and dates (`masks`), whose budget it is (only what a lead writes is read).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from ml.signals.lexicon import words_of
from ml.signals.masks import only_amounts
from ml.signals.money import currency_after, currency_before, currency_of, minor_units, skip_currency
from ml.signals.numerals import UNITS, Number, Word, number_at, read_folded
from ml.signals.words import fold

_COUNT_NOUNS = words_of("counted")
_ID_WORDS = words_of("before_ids")
_SPENT = words_of("spent")
_WILLING = words_of("willing")
_FILLERS = frozenset(
    [
        "is",
        "are",
        "of",
        "a",
        "an",
        "the",
        "hai",
        "h",
        "rs",
        "approx",
        "only",
        "just",
        "upto",
        "roughly",
        "say",
        "like",
        "my",
        "our",
        "mera",
        "meri",
        "hamara",
        "hamari",
        "total",
        "in",
        ":",
        "=",
        ".",
        "-",
        "~",
        "ka",
        "ki",
        "ke",
        "i'd",
        "for",
    ]
)


_BREATH = 3
"""Words between "more than 50k" and "less than 1 lakh"."""


class Budget(NamedTuple):
    """An amount or a range in the currency's smallest unit; an open end is None. `confidence` 0 to 1."""

    low_minor: int | None
    high_minor: int | None
    currency: str
    confidence: float

    @property
    def minor(self) -> int:
        """One number for it: the most that would be spent, else the least."""
        return self.high_minor if self.high_minor is not None else self.low_minor or 0


class _Amount(NamedTuple):
    low: Fraction | None
    high: Fraction | None
    currency: str | None
    is_scaled: bool
    is_bound: bool
    is_grouped: bool
    start: int
    end: int


def budget(text: str, currency: str = "INR", region: str = "IN") -> Budget | None:
    """What the writer would spend, or None where nothing says so.

    Args:
        text: a message.
        currency: the tenant's, ISO 4217: of an amount that names none.
        region: the tenant's, ISO 3166: by which phone numbers are told.

    >>> budget("budget 40-50k hai")
    Budget(low_minor=4000000, high_minor=5000000, currency='INR', confidence=0.97)
    >>> budget("call me on 98765 43210") is None
    True
    """
    folded = fold(text)
    return budget_of(read_folded(only_amounts(folded, region)), currency)


def budget_of(words: Sequence[Word], currency: str) -> Budget | None:
    """The same of words that are read already (`only_amounts`)."""
    found = [(_rank(each, words), each) for each in _amounts(words)]
    found = [(rank, each) for rank, each in found if rank > 0]
    if not found:
        return None
    rank, best = max(found, key=lambda one: one[0])  # the first of equals
    spoken = currency_of(best.currency, currency)
    confidence = 0.97 if rank >= 6 else 0.93 if rank >= 4 else 0.85 if rank >= 3 else 0.7
    return Budget(minor_units(best.low, spoken), minor_units(best.high, spoken), spoken, confidence)


def _amounts(words: Sequence[Word]) -> list[_Amount]:
    """All of them; the least and then the most of one breath are one."""
    place = 0
    all_found: list[_Amount] = []
    while place < len(words):
        found = _amount_at(words, place)
        place = place + 1 if found is None else found.end
        if found is None:
            continue
        last = all_found[-1] if all_found else None
        if last is not None and last.high is None and found.low is None and found.start - last.end <= _BREATH and last.low < found.high:  # type: ignore[operator]  # an amount has one end
            found = found._replace(low=last.low, currency=found.currency or last.currency, start=last.start)
            all_found.pop()
        all_found.append(found)
    return all_found


def _amount_at(words: Sequence[Word], at: int) -> _Amount | None:
    """The amount whose number begins at a word, with what belongs to it on both sides."""
    first = number_at(words, at)
    if first is None:
        return None
    currency, start = currency_before(words, at)
    right, end = currency_after(words, first.end)
    currency = currency or right
    low = high = first
    middle = end
    second, after = _second(words, end, start) if end > first.end else _said_together(words, first) or _second(words, end, start)
    if second is not None:
        low, high = _same_scale(first, second)
        right, middle = currency_after(words, second.end)
        currency, end = currency or right, middle
        after = end
    is_scaled = low.scale > 1 or high.scale > 1
    if _is_count(words, after if second is not None else middle, is_scaled or currency is not None) and currency is None:
        return None
    if currency is None and _is_id(words, start):
        return None
    lower: Fraction | None = low.value
    upper: Fraction | None = high.value
    is_bound = False
    if second is None:
        side, start, end = _bound(words, start, end)
        is_bound = bool(side)
        lower, upper = (None, upper) if side == "upper" else (lower, None) if side == "lower" else (lower, upper)
    return _Amount(lower, upper, currency, is_scaled, is_bound or second is not None, low.is_grouped or high.is_grouped, start, end)


def _second(words: Sequence[Word], at: int, start: int) -> tuple[Number | None, int]:
    """The other end of a range."""
    if at >= len(words):
        return None, at
    word = words[at]
    is_between = any(each.name == "BETWEEN" for each in words[max(0, start - 2) : start])
    if word.text == "up" and at + 1 < len(words) and words[at + 1].name == "TO":
        word, at = words[at + 1], at + 1
    joins = (
        word.name in {"TO", "SE", "OR", "UPTO"}
        or word.text in {"-", "~"}
        or (word.name == "AND" and (is_between or _says_between(words, at)))
    )
    if not joins:
        return None, at
    place = at + 1
    if place < len(words) and words[place].name == "UPTO":
        place += 1
    _, place = skip_currency(words, place)
    second = number_at(words, place)
    if second is None or (second.end < len(words) and words[second.end].name in UNITS):
        return None, at
    return second, second.end


def _said_together(words: Sequence[Word], first: Number) -> tuple[Number, int] | None:
    """The other end of do teen lakh, das barah hazaar: two numbers in words, the larger one at once after the other."""
    second = number_at(words, first.end)
    if second is None or first.scale > 1 or second.scale == 1 or any(each.value is not None for each in words[first.start : first.end + 1]):
        return None
    return (second, second.end) if first.value < second.value / second.scale <= 2 * first.value else None


def _says_between(words: Sequence[Word], at: int) -> bool:
    return any(each.name == "MIDDLE" for each in words[at : at + 8])


def _same_scale(low: Number, high: Number) -> tuple[Number, Number]:
    """Both ends by what is meant: 2-3 lakh, 50k to 60, 80 to 1 lakh."""
    if low.scale == 1 and high.scale > 1:
        plain = high.value / high.scale
        scale = high.scale if low.value < plain or low.value * 1 == plain else {100_000: 1_000, 10_000_000: 100_000}.get(high.scale, 1)
        if low.value < 1_000:
            low = low._replace(value=low.value * scale, scale=scale)
    elif high.scale == 1 and low.scale > 1 and high.value < 1_000:
        high = high._replace(value=high.value * low.scale, scale=low.scale)
    return (low, high) if low.value <= high.value else (high, low)


def _is_count(words: Sequence[Word], at: int, is_money: bool) -> bool:
    """Whether something else than money is counted: 2 bhk, 500 sq ft, 3 months, 20 %."""
    if at >= len(words):
        return False
    word = words[at]
    if word.text in _COUNT_NOUNS or word.text == "%":
        return True
    if word.name in UNITS | {"TARIKH", "MIN"}:
        return not is_money
    return False


def _is_id(words: Sequence[Word], start: int) -> bool:
    place = start - 1
    while place >= 0 and (words[place].text in {":", ".", "-", "is", "hai", "no", "number", "num", "#"}):
        place -= 1
    return place >= 0 and words[place].text in _ID_WORDS


def _bound(words: Sequence[Word], start: int, end: int) -> tuple[str, int, int]:
    """Whether it is the most or the least, by words around it."""
    from ml.signals.bounds import after, before

    side, place = before(words, start)
    if side:
        return side, place, end
    side, place = after(words, end)
    return side, start, place


def _rank(amount: _Amount, words: Sequence[Word]) -> int:
    """How sure it is what the writer would spend; 0 and less is no budget."""
    near = words[max(0, amount.start - 7) : amount.start]
    far = words[amount.end : amount.end + 6]
    stop = max((place for place, each in enumerate(near) if each.text in {".", "?", "!", "\n"}), default=-1)
    near = near[stop + 1 :]
    stop = next((place for place, each in enumerate(far) if each.text in {".", "?", "!", "\n", ",", ";"}), len(far))
    far = far[:stop]
    around = [*near, *far]
    has_word = any(each.name == "BUDGET" for each in around)
    rank = 3 * (amount.currency is not None) + 3 * amount.is_scaled + 2 * amount.is_bound + 2 * amount.is_grouped
    value = amount.high if amount.high is not None else amount.low
    if not (amount.currency or amount.is_scaled or amount.is_grouped):
        is_year = value is not None and 1900 <= value <= 2100 and not amount.is_bound
        least = 100 if has_word else 1_000
        if value is None or value < least or (is_year and not has_word):
            return 0
        if not has_word and not amount.is_bound and not any(each.name == "PRICE" for each in around):
            return 0
    if any(each.text in _SPENT for each in around) and not has_word:
        return 0
    rank += 4 * has_word + sum(each.text in _WILLING for each in far[:4])
    if any(each.name == "PRICE" for each in near[-3:]) and not amount.is_bound and not has_word:
        rank -= 2
    if any(each.name == "NOT" for each in near[-1:]) and not amount.is_bound:
        rank -= 3
    return rank
