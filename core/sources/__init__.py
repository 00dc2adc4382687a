"""One module a source, all of one layout: `accounts(raw)`, `verify(headers, raw, secret)`, `decode(raw, headers)`.

A new source is a new module here and touches no list. Not here: tenants, keys, storage.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol, cast

from core.events import Event, Reject


class Source(Protocol):
    """What each module of this package offers."""

    def accounts(self, raw: bytes) -> list[str]:
        """Accounts that the body speaks of, before it is trusted; raises msgspec.MsgspecError where it is no JSON of this shape."""
        ...

    def verify(self, headers: Mapping[str, str], raw: bytes, secret: bytes) -> bool:
        """Whether the signature in the headers (names in lower case) is that of these bytes under this secret."""
        ...

    def decode(self, raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
        """The canonical events of one body, in its order; a broken item is a Reject beside its siblings. Never empty."""
        ...


@cache
def sources() -> dict[str, Source]:
    """Every source by its name.

    >>> sorted(sources())
    ['platform', 'razorpay', 'whatsapp']
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {name: cast(Source, importlib.import_module(f"core.sources.{name}")) for name in names}
