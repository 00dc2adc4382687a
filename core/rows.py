"""From canonical events to lake rows: contacts become surrogates, vendor ids keyed hashes, personal text ciphertext.

Here belongs the last step before storage, by the marks of `core.events`; after it nothing personal is in the clear. Not here: where keys
come from (`core.ports.Vault`), files.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from core.columns import LAKE_COLUMNS, Column, columns
from core.events import SCHEMA_VERSION, Event, Point
from core.sealing import seal

_REF_BYTES = 16  # 128 bits: a collision among 10^9 ids of a tenant has a chance of 10^-21


class PointKey(NamedTuple):
    """A contact point in the lake: its random surrogate, and the key of all that is personal about it."""

    point_id: str
    key: bytes


class TenantKeys(NamedTuple):
    """What sealing an event of one tenant needs; `points` holds every contact that the events name, as they name it.

    `fragment_key` is the tenant's own, for what may be personal of an event that names nobody.
    """

    tenant_id: str
    ref_key: bytes
    fragment_key: bytes
    points: Mapping[Point, PointKey]


class Origin(NamedTuple):
    """Where a row came from."""

    received_at: datetime
    segment_id: str
    body: bytes


def hide(ref_key: bytes, reference: str) -> str:
    """A vendor's id as the lake keeps it: a keyed hash, equal for equal ids of one tenant, worth nothing without the key."""
    return hashlib.blake2b(reference.encode(), key=ref_key, digest_size=_REF_BYTES).hexdigest()


def hash_of(ref_key: bytes, body: bytes) -> str:
    """Bytes of a line as the lake tells them apart: a keyed hash, like that of a vendor's id."""
    return hashlib.blake2b(body, key=ref_key, digest_size=_REF_BYTES).hexdigest()


def points_of(event: Event) -> list[Point]:
    """Every contact that the event names."""
    return [point for name in _point_fields(type(event)) if (point := getattr(event, name)) is not None]


def row_of(event: Event, origin: Origin, keys: TenantKeys) -> tuple[Any, ...]:
    """One row, in the order of `columns(type(event))`."""
    head = (keys.tenant_id, origin.received_at, SCHEMA_VERSION, origin.segment_id, hash_of(keys.ref_key, origin.body))
    return head + tuple(keep(event, keys) for keep in _keepers(type(event)))


@cache
def _point_fields(event_type: type[Event]) -> tuple[str, ...]:
    return tuple(column.field for column in columns(event_type) if column.role == "point")


@cache
def _keepers(event_type: type[Event]) -> tuple[Callable[[Any, TenantKeys], Any], ...]:
    return tuple(_keeper(column) for column in columns(event_type)[len(LAKE_COLUMNS) :])


def _keeper(column: Column) -> Callable[[Any, TenantKeys], Any]:
    name = column.field
    if column.role == "ref":

        def ref(event: Any, keys: TenantKeys) -> str | None:
            value = getattr(event, name)
            return None if value is None else hide(keys.ref_key, value)

        return ref
    if column.role == "point":

        def point(event: Any, keys: TenantKeys) -> str | None:
            value = getattr(event, name)
            return None if value is None else keys.points[value].point_id

        return point
    if column.role in {"personal", "sealed"}:
        is_contact_needed = column.role == "personal"  # its Struct has always one: nothing personal may fall under the tenant's key

        def personal(event: Any, keys: TenantKeys) -> bytes | None:
            value = getattr(event, name)
            if value is None:
                return None
            aad = f"{hide(keys.ref_key, event.event_id)}:{column.name}".encode()
            is_somebodys = is_contact_needed or event.contact is not None
            return seal(keys.points[event.contact].key if is_somebodys else keys.fragment_key, value.encode(), aad)

        return personal

    def plain(event: Any, keys: TenantKeys) -> Any:
        return getattr(event, name)

    return plain


def transpose(event_type: type[Event], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows as columns by name."""
    names = [column.name for column in columns(event_type)]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
