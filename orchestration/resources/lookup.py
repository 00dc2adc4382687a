"""What senders must know at the moment of sending: persons, tokens, addresses.

Here belongs joining connections with the vault; nothing of it is kept. Not here: the vault's own tables.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.events import Point
from core.ports import Clock
from orchestration.resources.senders._tools import Place
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_CONNECTION = text(
    "select body ->> 'connection_id' from ops.reference where tenant_id = :tenant_id and section = 'connections' "
    "and body ->> 'source' = :source and (cast(:account_id as text) is null or body ->> 'account_id' = :account_id) "
    "and valid_from <= :now and (valid_to is null or :now < valid_to) order by row_key limit 1"
)
_ACCOUNT = text(
    "select body ->> 'account_id' from ops.reference where tenant_id = :tenant_id and section = 'connections' "
    "and body ->> 'connection_id' = :connection_id order by row_key limit 1"
)
_SECTION = text(
    "select body from ops.reference where tenant_id = :tenant_id and section = :section and row_key = :key "
    "and valid_from <= :now and (valid_to is null or :now < valid_to) limit 1"
)


class VaultLookup:
    """Look-ups over the state and the vault."""

    def __init__(self, state: State, vault: Vault, clock: Clock) -> None:
        """Take the stores and the clock that says which connection is valid."""
        self._state = state
        self._vault = vault
        self._clock = clock

    def now(self) -> datetime:
        """The moment."""
        return self._clock.now()

    def section(self, tenant_id: str, section: str, key: str = "") -> Mapping[str, Any]:
        """A row of the tenants file that is valid now, as it was written; empty where there is none."""
        values = {"tenant_id": tenant_id, "section": section, "key": key, "now": self._clock.now()}
        with self._state.begin() as connection:
            found: Mapping[str, Any] | None = connection.execute(_SECTION, values).scalar()
        return found or {}

    def contact(self, tenant_id: str, point_id: str) -> Point | None:
        """The person behind a surrogate; None if erased."""
        return self._vault.reveal(tenant_id, [point_id]).get(point_id)

    def access_token(self, tenant_id: str, source: str, account_id: str | None) -> str | None:
        """The token for an account of ours, or for the tenant's only one of a source."""
        connection_id = self._connection(tenant_id, source, account_id)
        if connection_id is None:
            return None
        token = self._vault.secrets.access_token(connection_id, tenant_id, self._clock.now())
        return None if token is None else token.decode()

    def destinations(self, tenant_id: str, kind: str) -> list[Place]:
        """The tenant's destinations of a kind, by id: address and signing secret."""
        found = self._vault.secrets.destinations(tenant_id, self._clock.now(), kind)
        return [Place(each.id, each.url, (each.secret or "").encode()) for each in found]

    def platform_feed(self, tenant_id: str) -> tuple[str, bytes] | None:
        """Account and signing secret of the tenant's own platform feed."""
        connection_id = self._connection(tenant_id, "platform", None)
        if connection_id is None:
            return None
        secrets = self._vault.secrets.verify_secrets(connection_id, tenant_id, self._clock.now())
        with self._state.begin() as connection:
            values = {"tenant_id": tenant_id, "connection_id": connection_id}
            account_id: str = connection.execute(_ACCOUNT, values).scalar_one()
        return (account_id, secrets[0]) if secrets else None

    def _connection(self, tenant_id: str, source: str, account_id: str | None) -> str | None:
        values = {"tenant_id": tenant_id, "source": source, "account_id": account_id, "now": self._clock.now()}
        with self._state.begin() as connection:
            found = connection.execute(_CONNECTION, values).scalar()
        return None if found is None else str(found)
