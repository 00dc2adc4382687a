"""What identity resolution needs of the outside and tells the warehouse: its part of `core.ports`.

Here belong these seams. Not here: any implementation, the rules (`core.identity`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from core.identity_evidence import Decision, Strength
from core.reference import LeadAlias, LeadLink, LeadPoint


class SealedName(NamedTuple):
    """A name of a contact as the lake keeps it: sealed under the point's key, for the event and its column."""

    tenant_id: str
    point_id: str
    event_id: str
    name_enc: bytes
    told_at: datetime


class Leads(NamedTuple):
    """What identity resolution tells the warehouse."""

    points: Sequence[LeadPoint] = ()
    aliases: Sequence[LeadAlias] = ()
    links: Sequence[LeadLink] = ()


class Identity(Protocol):
    """What evidence on identity is worth, and what people decided on it."""

    def strengths(self) -> Sequence[Strength]:
        """The dated rows of every kind of evidence."""
        ...

    def decisions(self, as_of: datetime) -> Sequence[Decision]:
        """Every decision of every tenant up to a moment, in the order in which they were made."""
        ...
