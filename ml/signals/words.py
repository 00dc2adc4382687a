"""Text as words of one alphabet: folded, Devanagari written in Latin letters, cut into tokens, and a key that forgives spelling.

Hinglish has no spelling: पचास is pachas, pachaas, pacaas. So one grammar reads all three languages by the key of each word. Not here: what
words mean (`lexicon`).
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

LONGEST = 4_000
"""Characters of a message that are read: a mail's first page. What follows is seldom the sender's own."""

_DEVANAGARI = re.compile(r"[\u0900-\u097f]")
_WORD = re.compile(r"[\u0900-\u097f\u200c\u200d]+")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\ufeff\u00ad"))
_PLAIN = str.maketrans("–—−‐‑‒―’‘`´“”„", "-------''''\"\"\"")

_VOWELS = dict(zip("अआइईउऊऋएऐओऔऑऍ", ("a", "aa", "i", "ee", "u", "oo", "ri", "e", "ai", "o", "au", "o", "e"), strict=True))
_SIGNS = dict(zip("ािीुूृेैोौॉॅ", ("aa", "i", "ee", "u", "oo", "ri", "e", "ai", "o", "au", "o", "e"), strict=True))
_CONSONANTS = dict(
    zip(
        "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहळ",
        [
            "k",
            "kh",
            "g",
            "gh",
            "n",
            "ch",
            "chh",
            "j",
            "jh",
            "n",
            "t",
            "th",
            "d",
            "dh",
            "n",
            "t",
            "th",
            "d",
            "dh",
            "n",
            "p",
            "ph",
            "b",
            "bh",
            "m",
            "y",
            "r",
            "l",
            "v",
            "sh",
            "sh",
            "s",
            "h",
            "l",
        ],
        strict=True,
    )
)
_DOTTED = {"ज": "z", "फ": "f", "ड": "r", "ढ": "rh", "क": "q", "ख": "kh", "ग": "g"}
_NUKTA, _VIRAMA, _NASAL = "़", "्", "ंँ"

_TOKEN = re.compile(
    r"(?P<number>(?!2(?:mo|mr))\d+(?:,\d+)*(?:\.\d+)*|(?<![a-z])\.\d+)"
    r"|(?P<word>b/w\b|2(?:mo|mr)[a-z]+|[a-z]+(?:'[a-z]+)?)|(?P<sign>[₹$€£%#@+\-/<>:~?!.,;()=|&]|\n)"
)


class Token(NamedTuple):
    """A number, word or sign, with where it stands; `is_glued`: nothing lies between it and the token before."""

    text: str
    kind: str
    start: int
    end: int
    is_glued: bool


def fold(text: str) -> str:
    """Lower case, one form of every character, Latin digits; Devanagari stays.

    >>> fold("ＢＵＤＧＥＴ ५०,०००")
    'budget 50,000'
    """
    folded = unicodedata.normalize("NFKC", text[:LONGEST]).translate(_INVISIBLE).translate(_PLAIN).lower()
    if folded.isascii():
        return folded
    return "".join(str(unicodedata.digit(each)) if each.isdecimal() and not each.isascii() else each for each in folded)


def latin(folded: str) -> str:
    """Devanagari words in Latin letters, as people write them; all else stays.

    >>> latin("पचास हज़ार रुपये अगले महीने")
    'pachaas hazaar rupaye agle maheene'
    """
    return _WORD.sub(lambda found: _spelt(found[0]), folded) if _DEVANAGARI.search(folded) else folded


@lru_cache(maxsize=20_000)
def _spelt(word: str) -> str:
    """One word; an inherent vowel that is not spoken is not written: at the end, and between a vowel's consonant and another's."""
    parts: list[list[str]] = []  # consonant (maybe none) and vowel of each
    for letter in unicodedata.normalize("NFD", word):
        if letter in _CONSONANTS:
            parts.append([_CONSONANTS[letter], "a", letter])
        elif letter == _NUKTA and parts:
            parts[-1][0] = _DOTTED.get(parts[-1][2], parts[-1][0])
        elif letter in _SIGNS and parts:
            parts[-1][1] = _SIGNS[letter]
        elif letter == _VIRAMA and parts:
            parts[-1][1] = ""
        elif letter in _VOWELS:
            parts.append(["", _VOWELS[letter], letter])
        elif letter in _NASAL and parts:
            parts[-1][1] += "n"
    if len(parts) > 1 and parts[-1][1] == "a":
        parts[-1][1] = ""
    for place in range(len(parts) - 2, 0, -1):
        (_, before, _), (_, own, letter), (consonant, after, _) = parts[place - 1 : place + 2]
        if own == "a" and letter in _CONSONANTS and before and consonant not in ("", "y") and after and before[-1] != "n":
            parts[place][1] = ""
    return "".join(consonant + vowel for consonant, vowel, _ in parts)


_SAME = (
    ("chh", "c"), ("ch", "c"), ("kh", "k"), ("gh", "g"), ("jh", "j"), ("th", "t"), ("dh", "d"), ("ph", "f"), ("bh", "b"), ("rh", "r"),
    ("sh", "s"), ("z", "j"), ("w", "v"), ("q", "k"), ("ee", "i"), ("ea", "i"), ("oo", "u"), ("ou", "u"), ("ai", "e"), ("ei", "e"),
    ("ay", "e"), ("ey", "e"), ("au", "o"), ("y", "i"),
)  # fmt: skip
_DOUBLE = re.compile(r"(.)\1+")


@lru_cache(maxsize=100_000)
def key(word: str) -> str:
    """How a word sounds, roughly: spellings of one Hindi word share it.

    >>> {key(each) for each in ("pachees", "pachis", "pacchees", latin("पच्चीस"))}
    {'pacis'}
    """
    for written, said in _SAME:
        word = word.replace(written, said)
    return _DOUBLE.sub(r"\1", word)


def tokens(text: str) -> list[Token]:
    """The tokens of folded text in Latin letters."""
    found: list[Token] = []
    last = -1
    for match in _TOKEN.finditer(text):
        found.append(Token(match[0], match.lastgroup or "sign", match.start(), match.end(), match.start() == last))
        last = match.end()
    return found
