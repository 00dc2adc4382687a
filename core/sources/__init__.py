"""One module a source, all of one layout: `accounts(raw)`, `verify(headers, raw, secret, received_at)`, `decode(raw, headers)`.

A new source is a new module here and touches no list. What is authentic and of a type that no decoder knows becomes an `Unmodelled` event,
what is broken a Reject. Not here: tenants, keys, storage.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Protocol, cast

from core.events import Event, Reject


class Source(Protocol):
    """What each module of this package offers."""

    def accounts(self, raw: bytes) -> list[str]:
        """Accounts that the body speaks of, before it is trusted; raises msgspec.MsgspecError where it is no JSON of this shape."""
        ...

    def verify(self, headers: Mapping[str, str], raw: bytes, secret: bytes, received_at: datetime | None = None) -> bool:
        """Whether the signature in the headers (names in lower case) is that of these bytes under this secret.

        `received_at` (UTC) is the moment of receipt. Where a signature has an age (Calendly, Gmail), a stale one is refused, and so is
        every one if that moment is not given.
        """
        ...

    def decode(self, raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
        """The canonical events of one body, in its order; a broken item is a Reject beside its siblings. Never empty; never raises."""
        ...


@cache
def sources() -> dict[str, Source]:
    """Every source by its name.

    >>> sorted(sources())
    ['calendly', 'gmail', 'instagram', 'messenger', 'platform', 'razorpay', 'whatsapp']
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {name: cast(Source, importlib.import_module(f"core.sources.{name}")) for name in names}
