"""The audit log in Postgres: `ops.audit_log`, appended under a lock a tenant, by itself or within somebody's transaction.

Here belongs the port `core.audit_ports.Audit`. Not here: what an entry is (`core.audit`), what is exported (`core.audit_export`).
"""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from core.audit import Entry, Wanted, canonical, make_entry, public_text, signing_key
from core.ports import Clock
from orchestration.resources.clock import SystemClock
from orchestration.resources.state import State
from orchestration.resources.vault import PLATFORM, Vault

if TYPE_CHECKING:
    import sqlalchemy
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LOCK = "select pg_advisory_xact_lock(hashtextextended('flexoraa.audit|' || %s, 0))"
_COLUMNS = (
    "tenant_id, number, recorded_at, actor, action, subject, details, encode(previous_hash, 'hex'), encode(hash, 'hex'), "
    "encode(signature, 'hex')"
)
_LAST = f"select {_COLUMNS} from ops.audit_log where tenant_id = %s order by number desc limit 1"
_ALL = f"select {_COLUMNS} from ops.audit_log where tenant_id = %s order by number"
_INSERT = (
    "insert into ops.audit_log (tenant_id, number, recorded_at, actor, action, subject, details, previous_hash, hash, signature) "
    "values (%s, %s, %s, %s, %s, %s, %s, decode(%s, 'hex'), decode(%s, 'hex'), decode(%s, 'hex'))"
)


def machine_user() -> str:
    """The actor where a program of ours was started by somebody of whom only the account on this machine is known."""
    return f"os:{getpass.getuser()}"


class PostgresAudit:
    """The log of one installation; `within` gives the same log inside a transaction."""

    def __init__(self, state: State, vault: Vault, clock: Clock | None = None, connection: Connection | None = None) -> None:
        """`vault` holds the signing key. The clock is the machine's: entries say when they were made, whatever moment a run speaks of."""
        self._state = state
        self._vault = vault
        self._clock = clock or SystemClock()
        self._connection = connection

    def within(self, connection: "Connection | sqlalchemy.Connection") -> "PostgresAudit":
        """The log inside a transaction of the platform's role: what is appended stands or falls with it.

        Append as the last thing: the tenant's chain is locked from then to the end of the transaction.
        """
        raw = connection if isinstance(connection, Connection) else connection.connection.driver_connection
        made = PostgresAudit(self._state, self._vault, self._clock, raw)
        made.__dict__["_key"] = self._key
        return made

    @property
    def public_key(self) -> str:
        """Whose signature entries bear, 64 hex digits."""
        return public_text(self._key)

    @property
    def key(self) -> "Ed25519PrivateKey":
        """What entries and exports are signed with."""
        return self._key

    def append(self, tenant_id: str, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> Entry:
        """Add an entry; committed when it returns, unless within a transaction.

        Raises:
            AuditError: it cannot become an entry.
        """
        wanted, key = Wanted(tenant_id, actor, action, subject, details), self._key
        with self._opened() as connection:
            connection.execute(_LOCK, (tenant_id,))
            row = connection.execute(_LAST, (tenant_id,)).fetchone()
            entry = make_entry(wanted, None if row is None else Entry._make(row), self._clock.now(), key)
            values = entry._replace(details=canonical(entry.details))  # type: ignore[arg-type]  # as text, just as it was hashed
            connection.execute(_INSERT, values)
        return entry

    def entries(self, tenant_id: str) -> Iterator[Entry]:
        """One tenant's chain from its first entry, all of one moment."""
        with self._opened() as connection, connection.cursor(name="audit") as cursor:  # at the server: chains grow for ever
            cursor.itersize = 5_000
            yield from map(Entry._make, cursor.execute(_ALL, (tenant_id,)))

    def newest(self, tenant_id: str | None, action: str | None, since: datetime | None, limit: int) -> list[Entry]:
        """Entries of one tenant or of all, the newest first; `action` is the beginning of one."""
        query = (
            f"select {_COLUMNS} from ops.audit_log where (%s::text is null or tenant_id = %s) "
            "and (%s::text is null or starts_with(action, %s)) and (%s::timestamptz is null or recorded_at >= %s) "
            "order by recorded_at desc, tenant_id, number desc limit %s"
        )
        values = (tenant_id, tenant_id, action, action, since, since, limit)
        with self._opened() as connection:
            return [Entry._make(row) for row in connection.execute(query, values)]

    @contextmanager
    def at_one_moment(self) -> Iterator["PostgresAudit"]:
        """The log as it is now, whatever is appended meanwhile."""
        with self._state.psycopg() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            yield self.within(connection)

    def tenants(self) -> list[str]:
        """Whose chains there are; '' is the installation's."""
        with self._opened() as connection:
            return [row[0] for row in connection.execute("select distinct tenant_id from ops.audit_log order by 1")]

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        if self._connection is not None:
            yield self._connection
        else:
            with self._state.psycopg() as connection:
                yield connection

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        return signing_key(self._vault.tenant_key(PLATFORM, "audit"))
