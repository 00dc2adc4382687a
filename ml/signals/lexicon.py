"""What words of English, Hindi and Hinglish mean to the grammar of amounts and times: one name for all spellings.

Here belongs looking words up in the tables: `lexicon.tsv` (a name, its words, those that are known however they are spelt, those of
Devanagari), `numbers.tsv`, `lists.tsv`. Not here: spelling (`words`), how words are put together (`numerals`, `amounts`, `timelines`).
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files

from ml.signals.words import key, latin


def table(name: str) -> Iterator[dict[str, str]]:
    """Rows of a table of this package, by column."""
    header, *rows = files("ml.signals").joinpath(name).read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    for row in rows:
        yield dict(zip(names, row.split("\t"), strict=True))


@cache
def _lists() -> dict[str, frozenset[str]]:
    return {row["list"]: frozenset(latin(word) for word in row["words"].split()) for row in table("lists.tsv")}


def words_of(name: str) -> frozenset[str]:
    """One of the lists of `lists.tsv`, in Latin letters."""
    return _lists()[name]


_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
ENGLISH = {word: value for value, word in enumerate(_ONES.split())} | {"couple": 2, "fourty": 40}
ENGLISH |= {
    word: 10 * value for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}

_SURE = 5
"""Length of a key from which on it is a number however it is spelt: `tis` may be तीस or "this"."""

HINDI_NUMBERS = {latin(word): int(row["value"]) for row in table("numbers.tsv") for word in f"{row['latin']} {row['devanagari']}".split()}
"""By their usual spelling. Up to ten and a few more they are words of other meanings too: numbers only in front of what is counted."""

_NUMBERS = {key(word): value for word, value in HINDI_NUMBERS.items() if len(key(word)) >= _SURE}

_EXACT: dict[str, str] = {}
_BY_KEY: dict[str, str] = {}
for _row in table("lexicon.tsv"):
    _EXACT |= {latin(word): _row["name"] for word in f"{_row['exact']} {_row['devanagari']}".split()}
    _BY_KEY |= {key(word): _row["name"] for word in _row["sounding"].split()}


@lru_cache(maxsize=100_000)
def meaning(word: str) -> str:
    """What a folded word in Latin letters means, or nothing.

    >>> meaning("hazaar"), meaning("maheene"), meaning("aktubar"), meaning("car")
    ('THOUSAND', 'MONTH', 'OCTOBER', '')
    """
    return _EXACT.get(word) or _BY_KEY.get(key(word), "")


@lru_cache(maxsize=100_000)
def number(word: str) -> int | None:
    """The number that a word says.

    >>> number("pachpan"), number("forty"), number("teen"), number("teenager")
    (55, 40, 3, None)
    """
    if word in ENGLISH:
        return ENGLISH[word]
    return HINDI_NUMBERS.get(word) or _NUMBERS.get(key(word))
