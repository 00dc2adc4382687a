"""Which language a message is written in: English, Hindi (Devanagari) or Hinglish (Hindi in Latin letters, mixed or not).

Here belongs telling them apart, by script and by function words, which no message of more than a few words does without. Not here: what
the words mean (`lexicon`).
"""

import re
from typing import NamedTuple

from ml.signals.lexicon import words_of
from ml.signals.words import fold

_DEVANAGARI = re.compile(r"[\u0900-\u097f]")
_LATIN = re.compile(r"[a-z]+(?:'[a-z]+)?")

_HINDI = words_of("hindi")
_ENGLISH = words_of("english")
_BOTH = words_of("both")
"""Words of both: they count for the language that the others speak for."""


class Language(NamedTuple):
    """`en`, `hi`, `hinglish`, or `und` where there are no words; `confidence` 0 to 1."""

    name: str
    confidence: float


def language(text: str) -> Language:
    """The language of a message.

    >>> language("What does it cost?").name, language("इसकी कीमत क्या है?").name, language("iska price kya hai").name, language("👍 500").name
    ('en', 'hi', 'hinglish', 'und')
    """
    return language_of(fold(text))


def language_of(folded: str) -> Language:
    """The same of folded text."""
    if not folded.isascii() and (hindi := len(_DEVANAGARI.findall(folded))):
        latin = sum(map(len, _LATIN.findall(folded)))
        share = hindi / (hindi + latin)
        return Language("hi", 0.99 if share > 0.5 else 0.85) if share >= 0.2 else _of_latin(folded, extra=1)
    return _of_latin(folded)


def _of_latin(folded: str, extra: int = 0) -> Language:
    words = _LATIN.findall(folded)
    if not words:
        return Language("und", 0.0)
    sure = [word for word in words if word not in _BOTH]
    hindi = extra + sum(word in _HINDI for word in sure)
    english = sum(word in _ENGLISH for word in sure)
    shared = len(words) - len(sure)
    if hindi >= 2 or (hindi and (hindi >= english or hindi + shared >= 3)):
        return Language("hinglish", min(0.99, 0.8 + 0.06 * hindi))
    if hindi:
        return Language("hinglish" if hindi * 5 >= len(words) else "en", 0.6)
    return Language("en", min(0.99, 0.75 + 0.05 * english + (0.1 if english else 0)))
