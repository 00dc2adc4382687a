"""Who is connected, kept current: the directory of connections, read again when a tenants file was applied.

Here belongs polling for a change, and Meta's verify tokens, which follow from the secrets. Not here: what a connection is (`core.tenancy`).
"""

import asyncio
import hashlib
import hmac
import logging
import time
from datetime import datetime

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.intake import Directory
from core.ports import Clock
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.state import State

POLL_SECONDS = 2.0
STALE_SECONDS = 60.0
"""From then on `/health` says that the state cannot be reached; webhooks go on with the last directory."""

META_SOURCES = frozenset({"whatsapp", "messenger", "instagram"})
"""Sources whose vendor asks for a verify token before it sends."""

_PURPOSE = b"flexoraa hub.verify_token"
_DIGEST = text("select coalesce(md5(string_agg(tenant_id || ' ' || config_sha256, ',' order by tenant_id)), '') from ops.tenants")
_log = logging.getLogger(__name__)


def verify_token(secret: bytes) -> str:
    """The token to enter at Meta beside the callback's address: HMAC-SHA256 of a fixed text under the app's secret, 32 hex digits.

    So it needs no keeping, differs for each app, and tells nothing about the secret.

    >>> verify_token(b"app secret")
    'ae1d9b5326b582a266d92884de9048a1'
    """
    return hmac.new(secret, _PURPOSE, hashlib.sha256).hexdigest()[:32]


class Connections:
    """The directory as of the last look; `refresh` blocks on the database, everything else answers at once."""

    def __init__(self, state: State, ledger: PostgresLedger, google_keys: GoogleKeys, clock: Clock) -> None:
        """Read it once; raises what the database raises. The ledger's directory is complete with `google_keys`."""
        self._state = state
        self._ledger = ledger
        self._google_keys = google_keys
        self._clock = clock
        self._read_as: tuple[str, datetime | None] | None = None
        self._looked = 0.0
        self.directory = Directory({})
        self.refresh()

    @property
    def age_seconds(self) -> float:
        """How long ago the state answered last."""
        return time.monotonic() - self._looked

    def refresh(self) -> bool:
        """Look whether any tenant or Google's keys changed, and if so read all connections; says whether it did."""
        looked = time.monotonic()
        with self._state.begin() as connection:
            digest = str(connection.execute(_DIGEST).scalar_one())
        is_changed = self._read_as != (digest, self._google_keys.due_at()) or self._are_keys_due()
        if is_changed:
            self.directory = self._ledger.directory()  # swapped at once: a request sees the old or the new one
            self._read_as = digest, self._google_keys.due_at()
        self._looked = looked
        return is_changed

    def _are_keys_due(self) -> bool:
        due_at = self._google_keys.due_at()
        return due_at is not None and due_at <= self._clock.now() and any(source == "gmail" for source, _ in self.directory.accounts)

    async def follow(self) -> None:
        """Look again every few seconds, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await asyncio.to_thread(self.refresh)
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                _log.error("connections cannot be read, they stay those of %.0f s ago: %s", self.age_seconds, type(error).__name__)

    def is_verify_token(self, source: str, token: str, moment: datetime) -> bool:
        """Whether it is that of a connection of this source, valid at the moment."""
        # every token is compared, each in constant time: how long it takes says nothing about which was near
        matches = [hmac.compare_digest(each.encode(), token.encode()) for each in self._tokens(source, moment)]
        return any(matches)

    def _tokens(self, source: str, moment: datetime) -> set[str]:
        return {verify_token(secret) for _, account in self.directory.live(source, moment) for secret in account.secrets}
