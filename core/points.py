"""Contact points in the one form in which equal means the same.

Here belongs the normal form of each kind. Not here: which points are one person (`core.identity`), what they are kept as (the
vault).
"""

import re
import unicodedata
from functools import cache, lru_cache

import phonenumbers
from phonenumbers import NumberParseException

from core.events import Point, Reject

# Shorter than E.164 allows a country to go are service codes; WhatsApp numbers are 8 to 15 digits.
_INTERNATIONAL_DIGITS = re.compile(r"[1-9][0-9]{7,14}")
_PLUS_DIGITS = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_LONGEST = 320  # an address of 64 + @ + 255 characters


@lru_cache(maxsize=100_000)
def normalise(point: Point, default_region: str) -> Point | Reject:
    """The same contact point in its normal form, or why it is none; the value is never quoted.

    Phones become E.164. WhatsApp writes them as digits with the country code and no plus, so 8 to 15 digits are read so first,
    where they begin with a country code and have a plausible length; else they are a national number of `default_region`. A
    number need not be in use or even assigned: vendors' own examples are not (16505551234, 972987654321).

    Args:
        point: as the vendor names it.
        default_region: two letters, such as `IN`: how a number without country code is read.

    >>> normalise(Point("phone", "919876543210"), "IN"), normalise(Point("phone", "098765 43210"), "IN")
    (Point(kind='phone', value='+919876543210'), Point(kind='phone', value='+919876543210'))
    >>> normalise(Point("email", " Asha@Example.COM "), "IN")
    Point(kind='email', value='asha@example.com')
    """
    text = unicodedata.normalize("NFKC", point.value).strip()
    if not text or len(text) > _LONGEST:
        return Reject("bad_contact", "$", f"a {point.kind} of {len(text)} characters")
    if point.kind == "phone":
        number = text if _is_e164(text) else _e164(text, default_region)
        if number is None:
            return Reject("bad_contact", "$", f"a phone of {len(text)} characters that is no number, with or without country code")
        return Point("phone", number)
    if point.kind == "email":
        address = text.lower()
        if not _EMAIL.fullmatch(address):
            return Reject("bad_contact", "$", f"an e-mail address of {len(text)} characters that is not name@domain")
        return Point("email", address)
    return Point(point.kind, text)


def _is_e164(text: str) -> bool:
    """Whether it surely is the normal form already, as all numbers are that WhatsApp tells: 1 µs, where parsing takes 15 µs.

    A country code, and a rest that does not begin with what people dial before a number at home.
    """
    if not _PLUS_DIGITS.fullmatch(text):
        return False
    for end in (2, 3, 4):
        trunk = _trunk(int(text[1:end]))
        if trunk is not None:
            return trunk.match(text, end) is None
    return False


@cache
def _trunk(country_code: int) -> re.Pattern[str] | None:
    """What may be dialled before a number at home in this country, zeros always; None where there is no such country."""
    region = phonenumbers.region_code_for_country_code(country_code)
    if region == phonenumbers.UNKNOWN_REGION:
        return None
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    prefix = metadata.national_prefix_for_parsing if metadata is not None else None
    return re.compile(f"0|(?:{prefix})" if prefix else "0")


def _e164(text: str, default_region: str) -> str | None:
    if _INTERNATIONAL_DIGITS.fullmatch(text):
        # A bare national number (9876543210 in India) is digits too: it stays national where it is valid there and not abroad.
        abroad = _parse(f"+{text}", None)
        home = _parse(text, default_region)
        if abroad is not None and (home is None or _rank(abroad) >= _rank(home)):
            return _format(abroad)
        return f"+{text}" if home is None else _format(home)
    number = _parse(text, default_region)
    if number is None or not _is_plausible(number):
        return None
    return _format(number)


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _rank(number: phonenumbers.PhoneNumber) -> int:
    """2 in use in its country, 1 of a possible length, 0 neither."""
    return 2 if phonenumbers.is_valid_number(number) else int(phonenumbers.is_possible_number(number))


def _is_plausible(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.is_possible_number(number) or _INTERNATIONAL_DIGITS.fullmatch(_format(number)[1:]) is not None


def _format(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
