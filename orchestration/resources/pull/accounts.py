"""Whom we may ask: connections that are valid now and have a credential, and how long ago each mailbox was looked at.

Here belongs joining connections, their secrets and what was noted of them. Not here: asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.pulling import Mailbox
from orchestration.resources.pull.http import PullUsageError
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

_CONNECTED = """
    from ops.reference r
    where r.section = 'connections' and r.body ->> 'source' = :source and r.valid_from <= :now and (r.valid_to is null or :now < r.valid_to)
    and exists (
        select from vault.secrets s where s.tenant_id = r.tenant_id and s.connection_id = r.body ->> 'connection_id'
        and s.purpose = 'access_token' and s.valid_from = r.valid_from
    )
"""
_TOPIC = """
    (select w.body ->> 'topic' from ops.reference w where w.section = 'watches' and w.tenant_id = r.tenant_id
    and w.row_key = r.body ->> 'connection_id' and w.valid_from = r.valid_from)
"""
_ACCOUNTS = text(
    f"select r.tenant_id, r.body ->> 'connection_id', r.body ->> 'account_id', r.valid_from, {_TOPIC} {_CONNECTED} "
    "and (cast(:tenant as text) is null or r.tenant_id = :tenant) order by 1, 2"
)
# what came of the source after the last look may be a push; of our own it is too, which costs one look more that finds nothing
_MAILBOXES = text(
    f"""
    select r.tenant_id, r.body ->> 'connection_id', r.body ->> 'account_id',
        (select c.tried_at from ops.pull_cursors c where c.tenant_id = r.tenant_id and c.source = 'gmail'
        and c.account_id = lower(r.body ->> 'account_id') and c.resource = 'history'),
        (select max(s.ingested_at) from ops.segments s join ops.segment_counts n using (segment_id)
        where n.tenant_id = r.tenant_id and n.source = 'gmail'),
        {_TOPIC} is not null,
        (select (c.cursor ->> 'expires_at')::timestamptz from ops.pull_cursors c where c.tenant_id = r.tenant_id and c.source = 'gmail'
        and c.account_id = lower(r.body ->> 'account_id') and c.resource = 'watch')
    {_CONNECTED} order by 1, 2
    """
)


@dataclass(frozen=True)
class Account:
    """One account that may be asked. `credential` asks, `signing` signs what is handed in; neither is ever shown."""

    tenant_id: str
    connection_id: str
    source: str
    account_id: str
    valid_from: datetime
    topic: str | None
    credential: bytes = field(repr=False)
    signing: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """For errors. Not the account id: that of a mailbox is an address."""
        return f"tenant {self.tenant_id}, connection {self.connection_id}"


class Accounts:
    """The connections of an installation that may be asked."""

    def __init__(self, state: State, vault: Vault) -> None:
        self._state, self._vault = state, vault

    def connected(self, source: str, now: datetime, tenant_id: str | None = None) -> list[Account]:
        """All of a source, or a tenant's.

        Raises:
            PullUsageError: a connection may be asked, but has no secret under which to hand in the answers.
        """
        with self._state.begin() as connection:
            rows: Sequence[tuple[str, str, str, datetime, str | None]] = [
                (row[0], row[1], row[2], row[3], row[4])
                for row in connection.execute(_ACCOUNTS, {"source": source, "now": now, "tenant": tenant_id})
            ]
        return [self._account(source, now, *row) for row in rows]

    def mailboxes(self, now: datetime) -> list[Mailbox]:
        """What is known of each mailbox that may be asked; one query, and nothing where none is connected."""
        with self._state.begin() as connection:
            rows: Sequence[Any] = connection.execute(_MAILBOXES, {"source": "gmail", "now": now}).all()
        return [Mailbox(*row) for row in rows]

    def _account(
        self, source: str, now: datetime, tenant_id: str, connection_id: str, account_id: str, valid_from: datetime, topic: str | None
    ) -> Account:
        secrets = self._vault.secrets
        credential = secrets.access_token(connection_id, tenant_id, now)
        signing = secrets.verify_secrets(connection_id, tenant_id, now)
        if credential is None or not signing:
            message = f"tenant {tenant_id}, connection {connection_id}: it has no verify secret, under which what is fetched is handed in"
            raise PullUsageError(message)
        # the first of two is the one that stays
        return Account(tenant_id, connection_id, source, account_id, valid_from, topic, credential, signing[0])
