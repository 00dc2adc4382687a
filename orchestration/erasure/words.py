"""By what a person is found in text: the forms of addresses, numbers and names, and a search for many of them at once.

Here belongs what the erasing steps look for. Not here: what the verifier looks for: it has forms of its own.
"""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import phonenumbers

_LEAST = 6
"""Characters of a form: shorter ones are found in what has nothing to do with the person."""

ERASED = "[erased]"


def forms_of_point(kind: str, value: str) -> set[str]:
    """How a contact point is written, in lower case.

    >>> sorted(form for form in forms_of_point("phone", "+919876543210") if form.isdigit())
    ['09876543210', '919876543210', '9876543210']
    """
    found = {value}
    if kind == "phone":
        digits = value.removeprefix("+")
        found.add(digits)
        number = phonenumbers.parse(value)
        national = str(number.national_number)
        if len(national) > 8:
            found |= {"0" + national, national}
        found |= {phonenumbers.format_number(number, each) for each in (0, 1, 2)}
    for text in list(found):
        found |= set(_base64(text))
    found.add(value.replace("@", "%40").replace("+", "%2b"))
    return {each.lower() for each in found if len(each) >= _LEAST}


def forms_of_name(name: str) -> set[str]:
    """How a name is written: plain, and as JSON escapes it."""
    return {each for each in {name.lower(), json.dumps(name)[1:-1].lower()} if len(each) >= _LEAST}


def _base64(text: str) -> Iterable[str]:
    """What is inside any base64 text that holds it, wherever it begins."""
    raw = text.encode()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        start = (0, 2, 3)[before]
        end = len(coded) - (1 if (before + len(raw)) % 3 else 0)
        if end - start >= _LEAST + 2:
            yield coded[start:end]


class Finder:
    """A search for all of them."""

    def __init__(self, forms: Iterable[str]) -> None:
        """In lower case."""
        self.forms = sorted(set(forms), key=lambda each: (-len(each), each))

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(re.escape(each.encode()) for each in self.forms), re.IGNORECASE)

    @cached_property
    def _text_pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.forms)), re.IGNORECASE)

    def hits(self, texts: Sequence[bytes]) -> list[int]:
        """Which of these texts hold any form."""
        if not self.forms or not texts:
            return []
        import polars as pl  # here: 0.2 s that most commands never need

        # Aho-Corasick: 200 to 400 MB a second, however many forms up to some hundreds
        found = pl.Series([each.decode(errors="replace").lower() for each in texts], dtype=pl.String).str.contains_any(self.forms)
        return [int(each) for each in found.arg_true()]

    def redacted(self, text: str) -> str:
        """The text without them."""
        return self._text_pattern.sub(ERASED, text) if self.forms else text

    def places(self, raw: bytes) -> list[tuple[int, int]]:
        """Where in some bytes they are: begin and end."""
        return [each.span() for each in self._pattern.finditer(raw)] if self.forms and self.hits([raw]) else []
