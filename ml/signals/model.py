"""The shipped models of language: intent, objection, buying signal and risk of what a lead writes, persuasion principle of what we write.

Here belong the tables in `training` (written for this project, English, Hindi and Hinglish), how they become texts, and the threshold of
risk. Not here: fitting (`classifier`), storage (`artefact`), rules (`amounts`, `timelines`, `language`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from ml.signals.classifier import NONE, Array, Calibration, Features, Head, fit_heads, plain
from ml.signals.cues import with_cues
from ml.signals.lexicon import table
from ml.signals.tables import INBOUND_TABLE, OUTBOUND_TABLE, variants, version

INBOUND = ("intent", "objection", "buying_signal", "risk")
OUTBOUND = ("principle",)
RISK_RECALL = 0.98
"""Of the risky texts that were left out in training, the share that the threshold must find. Recall first: to miss a threat costs a person;
to escalate a message in vain costs a minute."""

_CALIBRATED = "calibration.json"


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
        found, cover = features.of([with_cues(text) for text in texts])
        return {name: head.probabilities(head.margins(found, cover)) for name, head in heads.items()}


def fit_models() -> Models:
    """Fit all of them from the shipped tables, the same every time: 1 s, since how they are calibrated is kept beside the tables.

    Where the tables were changed since (`python -m ml.signals.calibrate` was not run), 6 s.
    """
    told = json.loads(files("ml.signals").joinpath("training", _CALIBRATED).read_text(encoding="utf-8"))
    return _assembled(told if told["version"] == version() else calibrate())


def calibrate() -> dict[str, Any]:
    """Temperatures, Platt's numbers and the threshold of risk, from texts that were left out line by line."""
    told: dict[str, Any] = {"version": version(), "tasks": {}}
    for name, tasks in ((INBOUND_TABLE, INBOUND), (OUTBOUND_TABLE, OUTBOUND)):
        texts, lines, targets = _texts(name, tasks)
        _, heads, chances = fit_heads(texts, targets, lines)
        told["tasks"] |= {task: head.calibration for task, head in heads.items()}
        if name == INBOUND_TABLE:
            risky = 1 - chances["risk"][:, int(np.flatnonzero(heads["risk"].classes == NONE)[0])]
            is_risky = np.array([each != NONE for each in targets["risk"]])
            told["risk_threshold"] = _threshold(risky, is_risky)
            flagged = risky >= told["risk_threshold"]
            told["risk_found"], told["risk_right"] = float(flagged[is_risky].mean()), float(is_risky[flagged].mean())
    return told


def _assembled(told: dict[str, Any]) -> Models:
    def fitted(name: str, tasks: Sequence[str]) -> tuple[Features, dict[str, Head]]:
        texts, lines, targets = _texts(name, tasks)
        known = {task: Calibration(*told["tasks"][task]) for task in tasks}
        return fit_heads(texts, targets, lines, known)[:2]

    inbound, outbound = fitted(INBOUND_TABLE, INBOUND), fitted(OUTBOUND_TABLE, OUTBOUND)
    return Models(told["version"], *inbound, *outbound, told["risk_threshold"], told["risk_found"], told["risk_right"])


def _threshold(chances: Array, is_true: Any) -> float:
    """The highest that still finds `RISK_RECALL` of what is true."""
    found = np.sort(chances[is_true])
    return float(found[int((1 - RISK_RECALL) * len(found))])


def _texts(name: str, tasks: Sequence[str]) -> tuple[list[str], list[int], dict[str, list[str]]]:
    """Every variant of every line, plain, with the line that it is of, and its classes by task."""
    lines, texts = [], []
    targets: dict[str, list[str]] = {task: [] for task in tasks}
    for line, row in enumerate(table(name)):
        for text in variants(row["text"]):
            lines.append(line)
            texts.append(with_cues(plain(text)))
            for task in tasks:
                targets[task].append(row[task])
    return texts, lines, targets
