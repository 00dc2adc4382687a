"""Currencies around a number: their signs and names, whose a shared one is, how many decimals they have.

Not here: amounts (`amounts`).
"""

from collections.abc import Sequence
from fractions import Fraction

from ml.signals.numerals import Word

_SIGNS = {"₹": "INR", "$": "USD", "€": "EUR", "£": "GBP"}
_LETTERED = {"s": "SGD", "us": "USD", "a": "AUD", "c": "CAD", "hk": "HKD"}
_NAMES = {"RUPEE": "INR", "DOLLAR": "USD", "EURO": "EUR", "POUND": "GBP", "DIRHAM": "AED", "RIYAL": "SAR", "SINGAPORE": "SGD"}
_SHARED = {  # a sign or word that several currencies share means the tenant's own, if it is one of them
    "INR": {"INR", "PKR", "LKR", "NPR", "MUR"},
    "USD": {"USD", "AUD", "CAD", "SGD", "NZD", "HKD"},
}
_DECIMALS = dict.fromkeys(("JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF"), 0) | dict.fromkeys(
    ("KWD", "BHD", "OMR", "JOD", "TND"), 3
)


def currency_before(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    """The currency that stands before a number, and where that begins."""
    place = at
    while place > 0 and words[place - 1].text in {".", ":", "-", "="} and place > 1 and _money_name(words[place - 2]) is not None:
        place -= 1
    if place > 0 and (name := _money_name(words[place - 1])) is not None:
        if place > 1 and words[place - 1].text == "$" and words[place - 1].is_glued and words[place - 2].text in _LETTERED:
            return _LETTERED[words[place - 2].text], place - 2
        return name, place - 1
    return None, at


def currency_after(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    """The currency that stands after a number, and where that ends."""
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


def skip_currency(words: Sequence[Word], at: int) -> tuple[str | None, int]:
    """The currency that stands there, and the place after it."""
    found = None
    while at < len(words) and (_money_name(words[at]) is not None or (found and words[at].text == ".")):
        found, at = _money_name(words[at]) or found, at + 1
    return found, at


def _money_name(word: Word) -> str | None:
    return _SIGNS.get(word.text) or _NAMES.get(word.name)


def currency_of(said: str | None, own: str) -> str:
    """The currency that is meant: a sign that several share is the tenant's own."""
    if said is None or said == "own":
        return own
    return own if own in _SHARED.get(said, ()) else said


def minor_units(value: Fraction | None, currency: str) -> int | None:
    """A value in the currency's smallest unit."""
    return None if value is None else round(value * 10 ** _DECIMALS.get(currency, 2))
