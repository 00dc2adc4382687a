"""Every form in which a value may lie in a store: plain, normalised, escaped, encoded, hashed.

Here belong the forms. Not here: the search.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

import phonenumbers

_LEAST = 6
"""Bytes of a form: a shorter one is in anything."""


class Sought(NamedTuple):
    """What is looked for of one owner, a request: `values` are (kind, text), `traces` bytes that a store kept for the person, as hex."""

    owner: str
    values: tuple[tuple[str, str], ...]
    traces: tuple[str, ...] = ()


class Needle(NamedTuple):
    """One form. `is_exact`: upper and lower case differ. `is_number`: digits that must not go on to either side."""

    owner: str
    form: str
    raw: bytes
    is_exact: bool
    is_number: bool


def needles(sought: Iterable[Sought]) -> list[Needle]:
    """All forms of all owners, each once."""
    found: dict[tuple[str, bytes], Needle] = {}
    for each in sought:
        for needle in (*_of_values(each), *_of_traces(each)):
            if len(needle.raw) >= _LEAST:
                found.setdefault((needle.owner, needle.raw), needle)
    return list(found.values())


def _of_values(sought: Sought) -> Iterator[Needle]:
    for kind, value in sought.values:
        texts = _spellings(kind, value)
        for text in texts:
            number = text.isascii() and text.isdigit()
            yield Needle(sought.owner, "plain", text.encode(), False, number)
            for form, other in (
                ("url-encoded", quote(text, safe="")),
                ("url-encoded", quote_plus(text)),
                ("escaped", json.dumps(text)[1:-1]),
            ):
                if other != text:
                    yield Needle(sought.owner, form, other.encode(), False, False)
            yield Needle(sought.owner, "utf-16", text.encode("utf-16-le"), False, False)
            yield Needle(sought.owner, "hex", text.encode().hex().encode(), False, False)
            for coded in _base64(text.encode()):
                yield Needle(sought.owner, "base64", coded, True, False)
        for text in _spellings(kind, value):
            for name in ("sha256", "md5", "sha1"):
                digest = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
                yield Needle(sought.owner, f"{name} hex", digest.hex().encode(), False, False)
                yield Needle(sought.owner, f"{name} raw", digest, True, False)
                yield Needle(sought.owner, f"{name} base64", base64.b64encode(digest).rstrip(b"="), True, False)


def _of_traces(sought: Sought) -> Iterator[Needle]:
    for trace in sought.traces:
        yield Needle(sought.owner, "vault", bytes.fromhex(trace), True, False)
        yield Needle(sought.owner, "vault hex", trace.lower().encode(), False, False)


def _spellings(kind: str, value: str) -> list[str]:
    """As it was given, in other cases and normal forms of Unicode and, of a number, as people and vendors write it.

    >>> _spellings("phone", "+919876543210")
    ['+919876543210', '919876543210', '9876543210', '09876543210', '+91 98765 43210', '098765 43210', 'tel:+91-98765-43210']
    """
    found = [value, value.casefold(), value.upper()]
    for each in (value, value.casefold()):
        found += [unicodedata.normalize("NFC", each), unicodedata.normalize("NFD", each), unicodedata.normalize("NFKC", each)]
    if kind == "phone":
        number = phonenumbers.parse(value)
        national = str(number.national_number)
        found.append(value.removeprefix("+"))
        if len(national) >= 9:
            found += [national, f"0{national}"]
        styles = (
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.NATIONAL,
            phonenumbers.PhoneNumberFormat.RFC3966,
        )
        found += [phonenumbers.format_number(number, style) for style in styles]
    return list(dict.fromkeys(each for each in found if each))


def _base64(raw: bytes) -> Iterator[bytes]:
    """The part of any base64 text that says these bytes alone, for each of the three places at which they may begin, in both alphabets."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw)
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        part = coded[first:last]
        if len(part) >= _LEAST + 2:
            yield part
            yield part.translate(bytes.maketrans(b"+/", b"-_"))
