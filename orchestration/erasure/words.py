"""By what a person is found in text: the forms of addresses, numbers and names, and a search for many of them at once.

Here belongs what the erasing steps look for. Not here: what the verifier looks for: it has forms of its own.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import phonenumbers

_LEAST = 6
"""Characters of a form: shorter ones are found in what has nothing to do with the person."""

ERASED = "[erased]"

T = TypeVar("T")

_BATCH = 16 << 20


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
    """A search for all of them. One search builds an automaton, 0.1 s for 20,000 forms, so many texts go through one."""

    def __init__(self, forms: Iterable[str]) -> None:
        """In lower case."""
        self.forms = sorted(set(forms), key=lambda each: (-len(each), each))

    def hits(self, texts: Iterable[tuple[T, bytes]]) -> Iterator[T]:
        """The names of those of these named texts that hold any form."""
        for names, held in _batches(texts):
            if self.forms:
                import polars as pl  # here: 0.2 s that most commands never need

                # Aho-Corasick: 200 to 400 MB a second, however many forms up to some hundreds
                found = pl.Series(held, dtype=pl.String).str.contains_any(self.forms)
                yield from (names[int(each)] for each in found.arg_true())

    def is_in(self, text: bytes) -> bool:
        """Whether one text holds any form."""
        return any(self.hits([(True, text)]))

    def redacted(self, text: str) -> str:
        """The text without them."""
        pattern = self._present(text.lower())
        return re.sub(pattern, ERASED, text, flags=re.IGNORECASE) if pattern else text

    def places(self, raw: bytes) -> list[tuple[int, int]]:
        """Where in some bytes they are: begin and end."""
        pattern = self._present(raw.decode(errors="replace").lower())
        return [each.span() for each in re.finditer(pattern.encode(), raw, re.IGNORECASE)] if pattern else []

    def _present(self, text: str) -> str:
        """A pattern of those forms alone that are in a text, the longest first."""
        import polars as pl  # as above

        if not self.forms:
            return ""
        found = pl.Series([text], dtype=pl.String).str.extract_many(self.forms, overlapping=True).to_list()[0]
        return "|".join(re.escape(each) for each in sorted(set(found), key=lambda each: (-len(each), each)))


def _batches(texts: Iterable[tuple[T, bytes]]) -> Iterator[tuple[list[T], list[str]]]:
    names: list[T] = []
    held: list[str] = []
    size = 0
    for name, text in texts:
        names.append(name)
        held.append(text.decode(errors="replace").lower())
        size += len(text)
        if size >= _BATCH:
            yield names, held
            names, held, size = [], [], 0
    if names:
        yield names, held
