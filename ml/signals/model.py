"""The shipped models of language: intent, objection, buying signal and risk of what a lead writes, persuasion principle of what we write.

Here belong the tables in `training` (written for this project, English, Hindi and Hinglish), how they become texts, and the threshold of
risk. Not here: fitting (`classifier`), storage (`artefact`), rules (`amounts`, `timelines`, `language`).
"""

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from ml.signals.classifier import Array, Features, Head, fit_heads, plain

INBOUND = ("intent", "objection", "buying_signal", "risk")
OUTBOUND = ("principle",)
NONE = "none"
RISK_RECALL = 0.98
"""Of the risky texts that were left out in training, the share that the threshold must find. Recall first: to miss a threat costs a person;
to escalate a message in vain costs a minute."""

_FORMAT = 1
_MOST = 6
_CHOICE = re.compile(r"\(([^()]*)\)")


@dataclass(eq=False)
class Models:
    """Features and heads of both directions. `risk_threshold`: the probability of any risk from which a message is risky."""

    version: str
    inbound: Features
    inbound_heads: dict[str, Head]
    outbound: Features
    outbound_heads: dict[str, Head]
    risk_threshold: float
    risk_found: float
    """Recall and precision of the threshold on texts that were left out."""
    risk_right: float

    def chances(self, texts: Sequence[str], *, is_inbound: bool) -> dict[str, Array]:
        """Probabilities (texts, classes) of plain texts, by task."""
        features, heads = (self.inbound, self.inbound_heads) if is_inbound else (self.outbound, self.outbound_heads)
        found, cover = features.of(texts)
        return {name: head.probabilities(head.margins(found), cover) for name, head in heads.items()}


def version() -> str:
    """The version of the tables and of what is made of them: equal versions are equal models.

    >>> len(version())
    12
    """
    digest = hashlib.sha256(f"{_FORMAT} {_MOST} {RISK_RECALL}".encode())
    for name in ("inbound.tsv", "outbound.tsv", "../festivals.tsv"):
        digest.update(files("ml.signals").joinpath("training", name).read_bytes())
    return digest.hexdigest()[:12]


def fit_models() -> Models:
    """Fit all of them from the shipped tables; 5 s on one core, the same every time."""
    inbound, heads, chances, targets = _fit("inbound.tsv", INBOUND)
    outbound, outbound_heads, _, _ = _fit("outbound.tsv", OUTBOUND)
    risky = 1 - chances["risk"][:, int(np.flatnonzero(heads["risk"].classes == NONE)[0])]
    is_risky = np.array([each != NONE for each in targets["risk"]])
    threshold = _threshold(risky, is_risky)
    flagged = risky >= threshold
    found, right = float(flagged[is_risky].mean()), float(is_risky[flagged].mean())
    return Models(version(), inbound, heads, outbound, outbound_heads, threshold, found, right)


def _threshold(chances: Array, is_true: Any) -> float:
    """The highest that still finds `RISK_RECALL` of what is true."""
    found = np.sort(chances[is_true])
    return float(found[int((1 - RISK_RECALL) * len(found))])


def _fit(name: str, tasks: Sequence[str]) -> tuple[Features, dict[str, Head], dict[str, Array], dict[str, list[str]]]:
    lines, texts = [], []
    targets: dict[str, list[str]] = {task: [] for task in tasks}
    for line, row in enumerate(table(name)):
        for text in variants(row["text"]):
            lines.append(line)
            texts.append(plain(text))
            for task in tasks:
                targets[task].append(row[task])
    features, heads, chances = fit_heads(texts, targets, lines)
    return features, heads, chances, targets


def table(name: str) -> Iterator[dict[str, str]]:
    """Rows of one of the tables, by column."""
    header, *rows = files("ml.signals").joinpath("training", name).read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    for row in rows:
        yield dict(zip(names, row.split("\t"), strict=True))


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
