"""What every replayed data set is read into: dialogues between a lead and our side, and payments that came of them.

Not here: files, webhooks.
"""

from dataclasses import dataclass
from datetime import datetime


class ReplayError(Exception):
    """A data set that cannot be replayed; the message says which file, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, of the lead or of our side."""

    is_lead: bool
    text: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, by the lead or by one of ours."""

    is_lead: bool
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue in the order of its turns."""

    dialogue_id: str
    started_at: datetime
    turns: tuple[Turn, ...]
    payments: tuple[Payment, ...]
