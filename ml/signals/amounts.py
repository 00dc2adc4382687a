"""What somebody would spend, by the words of a message: low, high and currency, in the currency's smallest unit.

Here belongs the grammar of money: marks of currency, ranges, bounds, and which numbers are no money (phones, dates, sizes, what was paid). Not
here: numbers themselves (`numerals`), whose budget it is (only what a lead writes is read).
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from ml.signals.numerals import UNITS, Number, Word, number_at, read_folded
from ml.signals.words import fold

_SIGNS = {"₹": "INR", "$": "USD", "€": "EUR", "£": "GBP"}
_NAMES = {"RUPEE": "INR", "DOLLAR": "USD", "EURO": "EUR", "POUND": "GBP", "DIRHAM": "AED", "RIYAL": "SAR", "SINGAPORE": "SGD"}
_SHARED = {  # a sign or word that several currencies share means the tenant's own, if it is one of them
    "INR": {"INR", "PKR", "LKR", "NPR", "MUR"},
    "USD": {"USD", "AUD", "CAD", "SGD", "NZD", "HKD"},
}
_DECIMALS = dict.fromkeys(("JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF"), 0) | dict.fromkeys(("KWD", "BHD", "OMR", "JOD", "TND"), 3)

_NO_MONEY = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+"  # addresses
    r"|\b\d{1,2}:\d{2}\b|\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b\d{1,2}/\d{1,2}\b(?!\s*(?:l|k|cr))"  # times and dates
    r"|#\s*\w+|\b(?=[a-z0-9-]*[a-z])(?=[a-z0-9-]*\d)[a-z]{2,}[-/]?\d[a-z0-9-]*\b|\b\d+[a-z]+\d[a-z0-9]*\b"  # numbers of orders and models
)
_MARKED = re.compile(r"(?:₹|\$|€|£|\brs\.?|\binr|\busd|\baed|\beur|\bgbp|\bsgd|\bsar)\s*\d")
_DIGIT = re.compile(r"\d")
_PHONE = re.compile(r"(?<![\d.,])(?:\+|\b00)?\d(?:[\s().-]?\d){6,14}(?![\d.,]*\d)")

_COUNT_NOUNS = frozenset(
    "bhk rk sq sqft sqyd sqm sft ft feet foot inch inches inchs km kms kmpl mtr meter metre metres kg kgs gm gms gram grams ltr litre liter "
    "litres ml gb tb mb kb mah mm cm hp cc watt watts w kw kwh kv volt v mbps gbps fps mp ghz rpm am pm baje bajay o'clock st nd rd th people "
    "person persons log logon logo members member users user seats seat employees employee staff team guests guest adults kids children students "
    "student pieces piece pcs pc units unit qty quantity items item nos licenses licences license agents agent leads lead contacts messages "
    "message sms calls call emails followers subscribers views orders order customers customer clients client branches stores outlets rooms room "
    "floors floor bedroom bedrooms star stars rating tv video videos resolution display monitor camera lpa ctc times baar bar x percent pct "
    "acre acres gaj bigha yards yard miles words pages marks age old carat ct karat sets set tons ton tonne tonnes points downloads".split()
)
_ID_WORDS = frozenset(
    "order otp pin pincode zip code sector room id invoice ref reference ticket booking awb tracking account version model iphone galaxy "
    "windows bus train house plot door ward block phase gate class grade std roll batch age umar aged page chapter call whatsapp "
    "contact phone mobile mob nos tel ph num flight section article act rule extension ext line".split()
)
_SPENT = frozenset(
    "paid refund refunded refunds deducted debited charged credited transferred salary income earn earning kamata kamati kamai tankhwah loan "
    "discount off cashback turnover revenue bhara kata kate kat diye diya chuka wapas vapas balance recharge penalty fine overcharged spent "
    "भरा रिफंड fraud scammed lost stolen stole".split()
)
_WILLING = frozenset("can could go give do dunga dungi denge doonga sakta sakte sakti have hai stretch ready comfortable looking offer only lagega".split())
_FILLERS = frozenset("is are of a an the hai h rs approx only just upto roughly say like my our mera meri hamara hamari total in : = . - ~ ka ki ke i'd for".split())


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
    spoken = _currency(best.currency, currency)
    confidence = 0.97 if rank >= 6 else 0.93 if rank >= 4 else 0.85 if rank >= 3 else 0.7
    return Budget(_minor(best.low, spoken), _minor(best.high, spoken), spoken, confidence)


def only_amounts(folded: str, region: str) -> str:
    """Folded text without what has digits and is no amount (phones, dates, numbers of orders); in its place a full stop."""
    if not _DIGIT.search(folded):
        return folded
    folded = _NO_MONEY.sub(lambda found: found[0] if _MARKED.match(found[0]) or _is_amount(found[0]) else " . ", folded)

    def phone(found: re.Match[str]) -> str:
        before = folded[max(0, found.start() - 5) : found.start()]
        marked = _MARKED.search(before.rstrip() + " 0") if before else None
        count = sum(each.isdigit() for each in found[0])
        is_phone = not marked and (found[0].startswith("+") or (count >= 7 and _is_phone(found[0], region)) or count >= 11)
        return " . " if is_phone else found[0]

    return _PHONE.sub(phone, folded)


_AMOUNT = re.compile(r"(?:rs|inr|usd|aed|sgd|eur|gbp|sar|dhs)[\d.,]+(?:k|l|lakhs?|lacs?|cr|crores?|m|mn)?|\d+(?:\.\d+)?(?:k|l|cr|lakhs?)-\d+\w*")


def _is_amount(text: str) -> bool:
    return _AMOUNT.fullmatch(text) is not None


def _is_phone(text: str, region: str) -> bool:
    import phonenumbers  # 0.1 s, and only where so many digits are

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


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
    currency, start = _currency_before(words, at)
    right, end = _currency_after(words, first.end)
    currency = currency or right
    low = high = first
    middle = end
    second, after = _second(words, end, start)
    if second is not None:
        low, high = _same_scale(first, second)
        right, middle = _currency_after(words, second.end)
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
    joins = word.name in {"TO", "SE", "OR", "UPTO"} or word.text in {"-", "~"} or (word.name == "AND" and (is_between or _says_between(words, at)))
    if not joins:
        return None, at
    place = at + 1
    if place < len(words) and words[place].name == "UPTO":
        place += 1
    _, place = _skip_currency(words, place)
    second = number_at(words, place)
    if second is None or (second.end < len(words) and words[second.end].name in UNITS):
        return None, at
    return second, second.end


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


def _currency_before(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    place = at
    while place > 0 and words[place - 1].text in {".", ":", "-", "="} and place > 1 and _money_name(words[place - 2]) is not None:
        place -= 1
    if place > 0 and (name := _money_name(words[place - 1])) is not None:
        return name, place - 1
    return None, at


def _currency_after(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    if at + 1 < len(words) and words[at].text == "/" and words[at + 1].text == "-":
        at += 2
        found = None if at >= len(words) else _money_name(words[at])
        return found or "own", at + (found is not None)
    if at < len(words) and (name := _money_name(words[at])) is not None:
        following = words[at + 1] if at + 1 < len(words) else None
        if following is not None and following.value is not None and (following.is_glued or words[at].text in _SIGNS):
            return None, at  # it belongs to the next amount
        return name, at + 1
    return None, at


def _skip_currency(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    found = None
    while at < len(words) and (_money_name(words[at]) is not None or (found and words[at].text == ".")):
        found, at = _money_name(words[at]) or found, at + 1
    return found, at


def _money_name(word: Word) -> str | None:
    return _SIGNS.get(word.text) or _NAMES.get(word.name)


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


def _currency(said: str | None, own: str) -> str:
    if said is None or said == "own":
        return own
    return own if own in _SHARED.get(said, ()) else said


def _minor(value: Fraction | None, currency: str) -> int | None:
    return None if value is None else round(value * 10 ** _DECIMALS.get(currency, 2))
