"""The shipped tables of training texts, and the version that they give the models.

Here belongs reading them; nothing heavy is imported, so that the version is known without scikit-learn. Not here: fitting (`model`).
"""

import hashlib
import itertools
import re
from importlib.resources import files

INBOUND_TABLE, OUTBOUND_TABLE, CUES_TABLE = "training/inbound.tsv", "training/outbound.tsv", "training/cues.tsv"
_RULES = 2
"""To be counted up when rules (`amounts`, `timelines`, `language`) come to say something else: then messages are read again."""

_MOST = 6
_CHOICE = re.compile(r"\(([^()]*)\)")


def version() -> str:
    """The version of tables and rules: equal versions read alike.

    >>> len(version())
    12
    """
    digest = hashlib.sha256(f"{_RULES} {_MOST}".encode())
    for name in (INBOUND_TABLE, OUTBOUND_TABLE, CUES_TABLE, "festivals.tsv", "lexicon.tsv", "numbers.tsv", "lists.tsv"):
        digest.update(files("ml.signals").joinpath(name).read_bytes())
    return digest.hexdigest()[:12]


def variants(text: str) -> list[str]:
    """What a line of a table stands for: each choice of `(one|other|)`, at most 6, spread evenly over all.

    >>> variants("send (me|us) the link( please|)")
    ['send me the link please', 'send me the link', 'send us the link please', 'send us the link']
    """
    parts = _CHOICE.split(text)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    every = ["".join(each) for each in itertools.product(*choices)]
    step = max(1, len(every) / _MOST)
    return [every[int(place * step)] for place in range(min(len(every), _MOST))]
