"""Words that speak for a class whatever stands around them: court, वकील, paisa wapas, demo; added to a text as one term a cue.

Here belongs finding them, by the table `training/cues.tsv`. With a few hundred sentences to learn from, a model knows few of the words that
people use for a thing: with cues it learns what a lawyer means from one sentence, and knows an advocate. Not here: what follows from a cue
(the models learn that).
"""

import re
from functools import cache

from ml.signals.lexicon import table
from ml.signals.tables import CUES_TABLE
from ml.signals.words import fold, key, latin

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_LONGEST = 4
_SOUNDING = 5
"""Letters from which on a word of the table is known however it is spelt."""


@cache
def _cues() -> tuple[dict[str, str], dict[str, str], tuple[int, ...]]:
    """Cue by phrase, cue by beginning of a phrase, and lengths of such beginnings."""
    whole: dict[str, str] = {}
    begun: dict[str, str] = {}
    for row in table(CUES_TABLE):
        for form in row["words"].split():
            phrase = latin(fold(form.rstrip("*").replace("_", " ")))
            (begun if form.endswith("*") else whole)[_sound(phrase)] = row["cue"]
    return whole, begun, tuple(sorted({len(each) for each in begun}))


def _sound(phrase: str) -> str:
    return " ".join(key(word) if len(word) >= _SOUNDING else word for word in phrase.split())


def with_cues(plain: str) -> str:
    """A plain text with the cues that it holds, each once.

    >>> with_cues("my advocate will call")
    'my advocate will call xqlegal'
    """
    whole, begun, lengths = _cues()
    words = [key(word) if len(word) >= _SOUNDING else word for word in _WORD.findall(plain)]
    found = set()
    for start in range(len(words)):
        phrase = ""
        for word in words[start : start + _LONGEST]:
            phrase = f"{phrase} {word}" if phrase else word
            if cue := whole.get(phrase):
                found.add(cue)
            for length in lengths:
                if cue := begun.get(phrase[:length]):
                    found.add(cue)
    return plain + "".join(f" xq{cue.replace('_', '')}" for cue in sorted(found)) if found else plain
