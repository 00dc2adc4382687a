"""What messages say, as the platform keeps it: the rows, and the ports to whoever reads a text and to where rows are kept.

Here belong their shapes. Not here: reading (`ml.signals`), decryption and the order of work (`assets.signals`), files
(`orchestration.resources.signals`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from msgspec import Struct

from core.reference import Tenant

OFF = "off"
"""The version of who reads nothing: what was read stays as it is."""


class Heard(Struct, frozen=True, kw_only=True):
    """What one message says; None where it says nothing of the kind, or that is not read of its direction.

    `ml.signals.reader.Reading` has the same fields but the first: neither layer may import the other, and a test holds them together.
    Amounts in the currency's smallest unit, times in days from the message's local date, confidences 0 to 1. `reader` is who read it.
    """

    reader: str
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


class MessageSignal(Heard, frozen=True, kw_only=True):
    """One telling of a message with text, and what it says. `version` is that of the models and rules that this platform had then."""

    table: ClassVar[str] = "message_signals"
    tenant_id: str
    contact_point_id: str
    event_id: str
    message_id: str
    source: str
    account_id: str
    direction: str
    body_hash: str
    version: str
    occurred_at: datetime
    received_at: datetime


class Sealed(NamedTuple):
    """A message of the lake that was not read yet; its text is ciphertext under the contact point's key."""

    tenant_id: str
    contact_point_id: str
    event_id: str
    message_id: str
    source: str
    account_id: str
    direction: str
    body_hash: str
    occurred_at: datetime
    received_at: datetime
    text_enc: bytes


class Spoken(NamedTuple):
    """A message in the clear, for as long as it is read: in memory, and nowhere else."""

    tenant_id: str
    text: str
    at: datetime
    is_inbound: bool
    timezone: str
    currency: str
    region: str


class SignalReader(Protocol):
    """Who reads messages: the shipped models, or a language model of the tenant's choice."""

    @property
    def version(self) -> str:
        """Of models and rules: what was read by another version is read again."""
        ...

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        """What each says, in their order. Never raises for what somebody else's service does."""
        ...

    def troubles(self) -> Mapping[str, int]:
        """Messages that another reader had to read in the place of the one that was asked, by why; without a word of theirs."""
        ...


class FittedModels(Protocol):
    """Where the fitted models of this installation lie."""

    def ensure(self) -> Path:
        """Their file, fitted first where it is not there yet."""
        ...


class Signals(Protocol):
    """What was read, by the lake's files: each of `messages` has one of its own here, or is to be read."""

    def pending(self, version: str) -> Sequence[str]:
        """Names of the lake's files that were not read by this version, with the tenants' settings of today.

        Calls that follow mean this version.
        """
        ...

    def tenants(self) -> Mapping[str, Tenant]:
        """Time zone, currency and region by tenant."""
        ...

    def unread(self, name: str, rows: int) -> Iterator[Sequence[Sealed]]:
        """Messages with text of a file of the lake that no file here holds yet, so many at a time."""
        ...

    def writing(self, name: str) -> AbstractContextManager[Callable[[Sequence[MessageSignal]], None]]:
        """Take rows for a file of the lake; with those that are known already they appear when the block ends well."""
        ...

    def settle(self) -> int:
        """Say that all is of that version, and drop what belongs to no file of the lake any more; returns how many files."""
        ...
