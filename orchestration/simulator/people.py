"""Who the simulated leads are: names and phone numbers by country.

Numbers are possible and valid for `phonenumbers`, and all different within a tenant, without a list of the used ones. Names
and numbers are made up. Not here: what the people do (the stories).
"""

from dataclasses import dataclass

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "IN": (
        ("Aarav", "Diya", "Ishaan", "Kavya", "Rohan", "अनन्या", "विवेक", "Meera", "Zoya", "Harpreet"),
        ("Sharma", "Iyer", "पाटील", "Khan", "Reddy", "Banerjee", "Gill", "Nair"),
    ),
    "US": (
        ("Olivia", "Mateo", "Ava", "Noah", "Zoë", "José", "Liam", "Priya", "Renée"),
        ("Walker", "García", "Kim", "O'Neill", "Brown", "Nguyễn", "Lopez"),
    ),
    "DE": (
        ("Jürgen", "Lena", "Søren", "Käthe", "Max", "Zoë", "Björn", "Anja"),
        ("Müller", "Weiß", "Schäfer", "Kowalski", "Groß", "Yılmaz", "Vogel"),
    ),
    "AE": (
        ("فاطمة", "Omar", "Layla", "Yousef", "Noor", "Hamad", "عائشة"),
        ("Al Mansoori", "الهاشمي", "Haddad", "Rahman", "Fernandes", "Siddiqui"),
    ),
}


@dataclass(frozen=True, slots=True)
class Numbering:
    """Mobile numbers of a country: a prefix, how many digits follow, and the smallest value of these digits."""

    prefix: str
    digits: int
    low: int


NUMBERING = {
    "IN": Numbering("919", 9, 200_000_000),
    "US": Numbering("1917", 7, 2_220_000),
    "DE": Numbering("49151", 8, 10_000_000),
    "AE": Numbering("97150", 7, 2_000_000),
}
_STEP = 7_368_787  # a prime that divides none of the ranges, so index * step walks through all of a range before it repeats


def phone(region: str, index: int, offset: int) -> str:
    """The `index`-th mobile number of a region, digits only, as WhatsApp writes a `wa_id`. All are even: see `next_phone`.

    >>> phone("IN", 0, 0), phone("DE", 1, 0)
    ('919200000000', '4915124737574')
    """
    plan = NUMBERING[region]
    half = (10**plan.digits - plan.low) // 2
    return f"{plan.prefix}{plan.low + 2 * ((offset + index * _STEP) % half):0{plan.digits}d}"


def next_phone(digits: str) -> str:
    """A number for the same person that `phone` gives to nobody.

    >>> next_phone("919200000000")
    '919200000001'
    """
    return str(int(digits) + 1)


def user_id(region: str, index: int, salt: int) -> str:
    """A business-scoped user id as WhatsApp writes it."""
    return f"{region}.{(salt * 1_000_003 + index * 97 + 10**19) % 10**20:020d}"
