"""One installation, opened: every adapter, wired.

Here belongs which adapter stands behind which port. Not here: what any of them does, Dagster.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from core.ports import Clock, Progress
from orchestration.resources.clock import SystemClock
from orchestration.resources.dbt import DbtRunner
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.reference import ParquetReference
from orchestration.resources.senders import senders
from orchestration.resources.senders._http import SenderTools
from orchestration.resources.serving import PostgresPublisher
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse import Warehouse
from orchestration.resources.workers import Outside, ProcessWorkers


@dataclass(frozen=True)
class Platform:
    """All adapters of one home, over one state."""

    settings: Settings
    state: State
    clock: Clock
    progress: Progress
    vault: Vault
    inbox: FolderInbox
    lake: FolderLake
    ledger: PostgresLedger
    reference: ParquetReference
    warehouse: Warehouse
    publisher: PostgresPublisher
    outbox: PostgresOutbox
    lookup: VaultLookup
    client: httpx.Client
    dbt: DbtRunner
    workers: ProcessWorkers

    def ports(self) -> dict[str, Any]:
        """Adapters by the names under which assets and sensors ask for them."""
        tools = SenderTools(self.client, self.lookup, self.settings.whatsapp_url)
        return {
            "clock": self.clock,
            "progress": self.progress,
            "vault": self.vault,
            "inbox": self.inbox,
            "lake": self.lake,
            "ledger": self.ledger,
            "reference": self.reference,
            "warehouse": self.warehouse,
            "publisher": self.publisher,
            "outbox": self.outbox,
            "senders": senders(tools),
            "receipts": InboxReceipts(self.settings.inbox, self.lookup),
            "dbt": self.dbt,
            "workers": self.workers,
        }


@contextlib.contextmanager
def open_platform(settings: Settings, clock: Clock | None = None, progress: Progress | None = None) -> Iterator[Platform]:
    """Open every adapter of an installation; the state is held for as long as the block lasts."""
    clock = clock or SystemClock()
    timeout = httpx.Timeout(settings.http_read_seconds, connect=settings.http_connect_seconds)
    with (
        open_state(settings) as state,
        httpx.Client(timeout=timeout) as client,
        contextlib.closing(DbtRunner(settings.dbt_target, settings.logs)) as dbt,
    ):
        vault, lake = Vault(state, settings.master_key()), FolderLake(settings.lake)
        warehouse = Warehouse(settings.warehouse, settings.lake, settings.reference)
        yield Platform(
            settings=settings,
            state=state,
            clock=clock,
            progress=progress or TerminalProgress(),
            vault=vault,
            inbox=FolderInbox(settings.inbox),
            lake=lake,
            ledger=PostgresLedger(state, vault, clock, GoogleKeys(settings.google_keys_url, settings.google_keys, clock)),
            reference=ParquetReference(settings, state),
            warehouse=warehouse,
            publisher=PostgresPublisher(state, warehouse, clock),
            outbox=PostgresOutbox(state, lease=_lease(settings)),
            lookup=VaultLookup(state, vault, clock),
            client=client,
            dbt=dbt,
            workers=ProcessWorkers(lake, vault, Outside(settings.lake, state.libpq_url, settings.master_key())),
        )


def _lease(settings: Settings) -> timedelta:
    """Twice what one try may take: to connect, to write, to begin an answer and to end it."""
    return timedelta(seconds=2 * (settings.http_connect_seconds + 3 * settings.http_read_seconds))
