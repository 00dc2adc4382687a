"""What tenants gave us in confidence: secrets of their connections and destinations, names and addresses of their staff.

Here belongs keeping it sealed and handing it out as of a moment. Not here: where the file says that a secret is (`tenants`).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct
from psycopg import Connection

from core.sealing import seal, unseal
from orchestration.resources.state import State

Purpose = Literal["verify", "access_token", "destination"]


class Destination(Struct, frozen=True):
    """Where alerts or callbacks of a tenant go. The URL is kept sealed too: that of a chat's webhook is its only secret."""

    id: str
    kind: Literal["alerts", "callback"]
    url: str
    secret: str | None


class PersonContact(Struct, frozen=True):
    """Who a member of the staff is."""

    name: str
    email: str


class SecretRow(NamedTuple):
    """One secret: `owner_id` is a connection's or a destination's id, `ordinal` tells several apart, `value` is in the clear."""

    owner_id: str
    purpose: Purpose
    ordinal: int
    valid_from: datetime
    valid_to: datetime | None
    value: bytes


class PersonRow(NamedTuple):
    """One member of the staff in [`valid_from`, `valid_to`)."""

    person_id: str
    valid_from: datetime
    valid_to: datetime | None
    contact: PersonContact


class Secrets:
    """Secrets and staff of all tenants, sealed under one key a tenant."""

    def __init__(self, state: State, key_of_tenant: Callable[[str], bytes]) -> None:
        """`key_of_tenant` gives the 32-byte key under which a tenant's secrets lie."""
        self._state = state
        self._key_of_tenant = key_of_tenant

    def verify_secrets(self, connection_id: str, tenant_id: str, at: datetime) -> list[bytes]:
        """The secrets that may sign for a connection at a moment: one, or two while one replaces the other."""
        return self._at(tenant_id, connection_id, "verify", at)

    def all_verify_secrets(self) -> Mapping[tuple[str, str, datetime], tuple[bytes, ...]]:
        """Every connection's signing secrets by (tenant, connection, valid from): what ingestion needs, in one query."""
        select = """
            select tenant_id, connection_id, valid_from, ordinal, secret_enc from vault.secrets
            where purpose = 'verify' order by tenant_id, connection_id, valid_from, ordinal
        """
        found: dict[tuple[str, str, datetime], tuple[bytes, ...]] = {}
        with self._state.psycopg() as connection:
            rows = connection.execute(select).fetchall()
        for tenant_id, owner_id, valid_from, ordinal, sealed in rows:
            value = unseal(self._key_of_tenant(tenant_id), sealed, _aad(owner_id, "verify", ordinal, valid_from))
            key = (tenant_id, owner_id, valid_from)
            found[key] = (*found.get(key, ()), value)
        return found

    def access_token(self, connection_id: str, tenant_id: str, at: datetime) -> bytes | None:
        """The token for calling the vendor in a connection's name, if one is configured."""
        return next(iter(self._at(tenant_id, connection_id, "access_token", at)), None)

    def destinations(self, tenant_id: str, at: datetime, kind: str | None = None) -> list[Destination]:
        """Where a tenant wants to be told at a moment, ordered by id."""
        rows = [msgspec.json.decode(value, type=Destination) for value in self._at(tenant_id, None, "destination", at)]
        return [row for row in rows if kind is None or row.kind == kind]

    def destination_secret(self, destination_id: str, tenant_id: str, at: datetime) -> bytes | None:
        """The secret that signs what we send to a destination, if it has one."""
        for row in self.destinations(tenant_id, at):
            if row.id == destination_id and row.secret is not None:
                return row.secret.encode()
        return None

    def person(self, person_id: str, tenant_id: str, at: datetime) -> PersonContact | None:
        """Who a member of the staff is."""
        select = """
            select valid_from, contact_enc from vault.people
            where tenant_id = %s and person_id = %s and valid_from <= %s and (valid_to is null or valid_to > %s)
        """
        with self._state.psycopg() as connection:
            row = connection.execute(select, (tenant_id, person_id, at, at)).fetchone()
        if row is None:
            return None
        opened = unseal(self._key_of_tenant(tenant_id), row[1], _aad(person_id, "person", 0, row[0]))
        return msgspec.json.decode(opened, type=PersonContact)

    def replace(self, connection: Connection, tenant_id: str, secrets: Iterable[SecretRow], people: Iterable[PersonRow]) -> None:
        """Put these in the place of all that the tenant had, in the caller's transaction."""
        key = self._key_of_tenant(tenant_id)
        connection.execute("delete from vault.secrets where tenant_id = %s", (tenant_id,))
        connection.execute("delete from vault.people where tenant_id = %s", (tenant_id,))
        for row in secrets:
            sealed = seal(key, row.value, _aad(row.owner_id, row.purpose, row.ordinal, row.valid_from))
            connection.execute(
                "insert into vault.secrets (tenant_id, connection_id, purpose, ordinal, valid_from, valid_to, secret_enc) "
                "values (%s, %s, %s, %s, %s, %s, %s)",
                (tenant_id, row.owner_id, row.purpose, row.ordinal, row.valid_from, row.valid_to, sealed),
            )
        for person in people:
            sealed = seal(key, msgspec.json.encode(person.contact), _aad(person.person_id, "person", 0, person.valid_from))
            connection.execute(
                "insert into vault.people (tenant_id, person_id, valid_from, valid_to, contact_enc) values (%s, %s, %s, %s, %s)",
                (tenant_id, person.person_id, person.valid_from, person.valid_to, sealed),
            )

    def _at(self, tenant_id: str, owner_id: str | None, purpose: Purpose, at: datetime) -> list[bytes]:
        select = """
            select connection_id, ordinal, valid_from, secret_enc from vault.secrets
            where tenant_id = %s and purpose = %s and (%s::text is null or connection_id = %s)
            and valid_from <= %s and (valid_to is null or valid_to > %s)
            order by connection_id, ordinal
        """
        with self._state.kept() as connection:  # every send asks
            rows = connection.execute(select, (tenant_id, purpose, owner_id, owner_id, at, at)).fetchall()
        key = self._key_of_tenant(tenant_id)
        return [unseal(key, sealed, _aad(owner, purpose, ordinal, valid_from)) for owner, ordinal, valid_from, sealed in rows]


def _aad(owner_id: str, purpose: str, ordinal: int, valid_from: datetime) -> bytes:
    return f"{owner_id}|{purpose}|{ordinal}|{valid_from.astimezone(UTC).isoformat()}".encode()
