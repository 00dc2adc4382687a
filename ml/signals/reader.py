"""All signals of messages, a batch at a time.

Here belongs putting rules and models together. Not here: any of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from ml.signals.amounts import budget_of
from ml.signals.classifier import NONE
from ml.signals.language import language_of
from ml.signals.masks import only_amounts
from ml.signals.model import Models
from ml.signals.numerals import read_folded
from ml.signals.timelines import timeline_of
from ml.signals.words import fold, latin


class Message(NamedTuple):
    """One message to read: its text, moment and direction, and the tenant's time zone (IANA), currency (ISO 4217) and region (ISO 3166)."""

    text: str
    at: datetime
    is_inbound: bool = True
    timezone: str = "Asia/Kolkata"
    currency: str = "INR"
    region: str = "IN"


class Reading(NamedTuple):
    """What one message says; None where it says nothing of the kind, or that is not read of its direction. Confidences 0 to 1.

    As `core.signals.Heard` without who read it; the layers do not import each other.
    """

    language: str
    language_confidence: float
    intent: str | None = None
    intent_confidence: float | None = None
    budget_low_minor: int | None = None
    budget_high_minor: int | None = None
    budget_currency: str | None = None
    budget_confidence: float | None = None
    timeline_days: int | None = None
    timeline_confidence: float | None = None
    objection: str | None = None
    objection_confidence: float | None = None
    buying_signal: str | None = None
    buying_signal_confidence: float | None = None
    risk: str | None = None
    risk_confidence: float | None = None
    principle: str | None = None
    principle_confidence: float | None = None


def read_messages(models: Models, messages: Sequence[Message]) -> list[Reading]:
    """The reading of each message, in their order."""
    folded = [fold(each.text) for each in messages]
    found: list[Reading | None] = [None] * len(messages)
    for is_inbound in (True, False):
        places = [place for place, each in enumerate(messages) if each.is_inbound == is_inbound]
        if places:
            said = _classes(models, [latin(folded[place]) for place in places], is_inbound=is_inbound)
            for place, classes in zip(places, said, strict=True):
                found[place] = _reading(messages[place], folded[place], classes)
    return [each for each in found if each is not None]


def _classes(models: Models, texts: Sequence[str], *, is_inbound: bool) -> list[dict[str, tuple[str, float]]]:
    """The class and confidence of each task, by text."""
    rows: list[dict[str, tuple[str, float]]] = [{} for _ in texts]
    heads = models.inbound_heads if is_inbound else models.outbound_heads
    for task, chances in models.chances(texts, is_inbound=is_inbound).items():
        classes = heads[task].classes
        best, sure = chances.argmax(axis=1), chances.max(axis=1)
        if task == "risk":
            none = int(np.flatnonzero(classes == NONE)[0])
            any_risk = 1 - chances[:, none]
            worst = np.where(np.arange(len(classes)) == none, -1.0, chances).argmax(axis=1)
            is_risky = any_risk >= models.risk_threshold
            best, sure = np.where(is_risky, worst, none), np.where(is_risky, any_risk, chances[:, none])
        for row, place, confidence in zip(rows, best, sure, strict=True):
            row[task] = (str(classes[place]), round(float(confidence), 4))
    return rows


def _reading(message: Message, folded: str, classes: dict[str, tuple[str, float]]) -> Reading:
    spoken = language_of(folded)
    if not message.is_inbound:
        return Reading(spoken.name, spoken.confidence, principle=classes["principle"][0], principle_confidence=classes["principle"][1])
    words = read_folded(folded)
    amounts = only_amounts(folded, message.region)
    money = budget_of(words if amounts == folded else read_folded(amounts), message.currency)
    when = timeline_of(words, message.at, message.timezone)
    said = {name: part for task, pair in classes.items() for name, part in zip((task, f"{task}_confidence"), pair, strict=True)}
    return Reading(
        spoken.name,
        spoken.confidence,
        budget_low_minor=money.low_minor if money else None,
        budget_high_minor=money.high_minor if money else None,
        budget_currency=money.currency if money else None,
        budget_confidence=money.confidence if money else None,
        timeline_days=when.days if when else None,
        timeline_confidence=when.confidence if when else None,
        **said,  # type: ignore[arg-type]  # names and types of Reading's own fields
    )
