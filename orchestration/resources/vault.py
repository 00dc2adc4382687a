"""The vault: random surrogates for contact points, a key for each, and the tenants' own keys, all wrapped under the master key.

Here belongs who is behind a surrogate. Not here: tenants' secrets and staff (`vault_secrets`), how events are sealed
(`core.sealing`).
"""

import hashlib
import hmac
import os
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, cast

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from psycopg import Connection

from core.events import Point, PointKind
from core.rows import PointKey
from core.sealing import seal, unseal
from orchestration.resources.state import State
from orchestration.resources.vault_secrets import Secrets

PLATFORM = ""
"""In the place of a tenant's id: the platform's own keys."""

# Arrays as text with commas: the driver takes 8 µs a row to write an array, the server 0.3 µs to cut a text.
_FIND = """
select p.lookup, p.point_id, p.key_wrapped
from unnest(string_to_array(%s, ','), string_to_array(%s, ',')) as wanted (kind, lookup)
join vault.points p on p.tenant_id = %s and p.kind = wanted.kind and p.lookup = decode(wanted.lookup, 'hex')
"""
# Sorted: two processes that insert the same new points in different orders would wait for each other for ever.
_INSERT = """
insert into vault.points (tenant_id, point_id, kind, lookup, value_enc, key_wrapped)
select %s, made.point_id, made.kind, decode(made.lookup, 'hex'), decode(made.value_enc, 'hex'), decode(made.key_wrapped, 'hex')
from unnest(
    string_to_array(%s, ','), string_to_array(%s, ','), string_to_array(%s, ','), string_to_array(%s, ','), string_to_array(%s, ',')
) as made (point_id, kind, lookup, value_enc, key_wrapped)
order by made.kind, made.lookup on conflict (tenant_id, kind, lookup) do nothing
returning lookup
"""
_BASE32 = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[n % 32] for n in range(256))


ROTATED = (
    "this master key does not open the vault: was FLEXORAA_MASTER_KEY or secrets/master.key changed? "
    "If it was rotated (flexoraa key rotate), start this process again"
)


class VaultError(Exception):
    """The vault cannot be opened with this master key."""


class Vault:
    """The vault of one installation. Tenants' keys stay in memory for its lifetime; points' keys with whoever asked."""

    def __init__(self, state: State, master_key: bytes) -> None:
        """`master_key`: 32 bytes (`Settings.master_key`)."""
        self._state = state
        self._master_key = master_key
        self._fingerprint = fingerprint(master_key)
        self._tenant_keys: dict[tuple[str, str], bytes] = {}

    @cached_property
    def secrets(self) -> Secrets:
        """Tenants' secrets and staff."""
        return Secrets(self._state, lambda tenant_id: self.tenant_key(tenant_id, "secrets"))

    def points(self, tenant_id: str, points: Collection[Point]) -> dict[Point, PointKey]:
        """Surrogate and key of each contact point, made where it is new; committed before it returns.

        Args:
            tenant_id: the tenant; the same point of two tenants has two surrogates.
            points: normalised (`core.points.normalise`); repeats are allowed.

        Of processes that ask for the same new point at once, all get the same answer.
        """
        by_lookup = {self._lookup(tenant_id, point): point for point in points}
        if not by_lookup:
            return {}
        with self._state.kept() as connection:
            found = self._find(connection, tenant_id, by_lookup)
            missing = {lookup: point for lookup, point in by_lookup.items() if lookup not in found}
            if missing:
                found |= self._insert(connection, tenant_id, missing)
            late = {lookup: point for lookup, point in missing.items() if lookup not in found}
            if late:  # another process was quicker; a second statement sees what it has committed in between (read committed)
                found |= self._find(connection, tenant_id, late)
        return {point: found[lookup] for lookup, point in by_lookup.items()}

    def known(self, tenant_id: str, points: Collection[Point]) -> dict[Point, str]:
        """Surrogates of those of these contact points, normalised, that the vault has; none is made."""
        by_lookup = {self._lookup(tenant_id, point): point for point in points}
        if not by_lookup:
            return {}
        with self._state.psycopg() as connection:
            return {by_lookup[lookup]: key.point_id for lookup, key in self._find(connection, tenant_id, by_lookup).items()}

    def reveal(self, tenant_id: str, point_ids: Collection[str]) -> dict[str, Point]:
        """The contact points behind surrogates; erased and unknown ones are missing."""
        revealed = {}
        for point_id, kind, value_enc, wrapped in self._rows(tenant_id, point_ids):
            value = unseal(self._unwrap(wrapped), value_enc, point_id.encode())
            revealed[point_id] = Point(cast(PointKind, kind), value.decode())
        return revealed

    def kinds(self) -> dict[str, str]:
        """The kind of every point id of every tenant, erased ones too."""
        with self._state.psycopg() as connection:
            return dict(connection.execute("select point_id, kind from vault.points").fetchall())

    def keys(self, tenant_id: str, point_ids: Collection[str]) -> dict[str, bytes]:
        """The keys of contact points, 32 bytes each; erased and unknown ones are missing."""
        return {point_id: self._unwrap(wrapped) for point_id, _, _, wrapped in self._rows(tenant_id, point_ids)}

    def tenant_key(self, tenant_id: str, purpose: str) -> bytes:
        """A tenant's own random key for one purpose (`ref`, `fragment`, …), 32 bytes, made once; tenant '' is the platform."""
        if (tenant_id, purpose) not in self._tenant_keys:
            self._tenant_keys[tenant_id, purpose] = self._stored_key(f"{tenant_id}/{purpose}", tenant_id)
        return self._tenant_keys[tenant_id, purpose]

    def _stored_key(self, key_id: str, tenant_id: str) -> bytes:
        with self._state.psycopg() as connection:
            select = "select wrapped from vault.keys where key_id = %s"
            row = connection.execute(select, (key_id,)).fetchone()
            if row is None:
                self._stand(connection)
                fresh = aes_key_wrap(self._master_key, os.urandom(32))
                insert = "insert into vault.keys (key_id, tenant_id, wrapped) values (%s, %s, %s) on conflict do nothing"
                connection.execute(insert, (key_id, tenant_id, fresh))
                row = connection.execute(select, (key_id,)).fetchone()
        if row is None:
            message = f"the vault lost the key {key_id!r} while it was made"
            raise VaultError(message)
        return self._unwrap(row[0])

    def _lookup(self, tenant_id: str, point: Point) -> bytes:
        text = f"{tenant_id}|{point.kind}|{point.value}"  # neither a tenant's id nor a kind can hold a bar
        return hmac.digest(self.tenant_key(PLATFORM, "index"), text.encode(), hashlib.sha256)

    def _find(self, connection: Connection, tenant_id: str, by_lookup: dict[bytes, Point]) -> dict[bytes, PointKey]:
        kinds = ",".join(point.kind for point in by_lookup.values())
        rows = connection.execute(_FIND, (kinds, ",".join(map(bytes.hex, by_lookup)), tenant_id), binary=True)
        return {lookup: PointKey(point_id, self._unwrap(wrapped)) for lookup, point_id, wrapped in rows}

    def _insert(self, connection: Connection, tenant_id: str, by_lookup: dict[bytes, Point]) -> dict[bytes, PointKey]:
        """Those that were new."""
        self._stand(connection)
        made = [PointKey(_new_id(), os.urandom(32)) for _ in by_lookup]
        points = list(by_lookup.values())
        columns = (
            [new.point_id for new in made],
            [point.kind for point in points],
            [lookup.hex() for lookup in by_lookup],
            [seal(new.key, point.value.encode(), new.point_id.encode()).hex() for new, point in zip(made, points, strict=True)],
            [aes_key_wrap(self._master_key, new.key).hex() for new in made],
        )
        inserted = connection.execute(_INSERT, (tenant_id, *(",".join(each) for each in columns)), binary=True)
        by_key = dict(zip(by_lookup, made, strict=True))
        return {lookup: by_key[lookup] for (lookup,) in inserted}

    def _stand(self, connection: Connection) -> None:
        """Before a key is wrapped: ours is still the master key, and stays so to the end of the transaction."""
        select = "select fingerprint from vault.master_key for share"
        row = connection.execute(select, binary=True).fetchone()
        if row is None:
            connection.execute("insert into vault.master_key (fingerprint) values (%s) on conflict do nothing", (self._fingerprint,))
            row = connection.execute(select, binary=True).fetchone()
        if row is None or row[0] != self._fingerprint:
            raise VaultError(ROTATED)

    def _rows(self, tenant_id: str, point_ids: Collection[str]) -> Iterable[tuple[Any, ...]]:
        select = """
            select point_id, kind, value_enc, key_wrapped from vault.points
            where tenant_id = %s and point_id = any(%s) and key_wrapped is not null
        """
        with self._state.kept() as connection:
            return connection.execute(select, (tenant_id, list(point_ids)), binary=True).fetchall()

    def _unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._master_key, wrapped)
        except InvalidUnwrap as error:
            raise VaultError(ROTATED) from error


def fingerprint(master_key: bytes) -> bytes:
    """What tells one master key from another and nothing of it, 16 bytes."""
    return hashlib.blake2b(b"flexoraa.master", key=master_key, digest_size=16).digest()


def _new_id() -> str:
    """`cp_` and 130 random bits in base32: 26 characters."""
    return "cp_" + os.urandom(26).translate(_BASE32).decode()
