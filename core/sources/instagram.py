"""Instagram webhooks: messages, echoes, reactions, postbacks, receipts, referrals, consents, thread control, comments.

Here belongs what is Instagram's alone: its name, its contact points, its object. Not here: the envelope and the items, which Meta's two
messaging products share (`core.sources._meta`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from core.events import Event, Reject
from core.sources import _meta
from core.sources._common import meta_signature_holds
from core.sources._meta_scope import Channel

_CHANNEL = Channel("instagram", "igsid", "instagram")


def accounts(raw: bytes) -> list[str]:
    """The accounts that the entries are of."""
    return _meta.accounts(raw)


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
    """`X-Hub-Signature-256` over the bytes as sent, under the app's secret."""
    return meta_signature_holds(headers, raw, secret)


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """Every item of every entry, in the order of the body."""
    return _meta.decode(_CHANNEL, raw)
