"""One installation, opened: every adapter, wired.

Here belongs which adapter stands behind which port. Not here: what any of them does, Dagster.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from core.ports import Clock, Progress
from core.signals import SignalReader
from orchestration.resources.action_desk import ActionDesk
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.clock import SystemClock
from orchestration.resources.dbt import DbtRunner
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.drift import PostgresDrift
from orchestration.resources.dry_run import DrySenders
from orchestration.resources.engines import warehouse_of
from orchestration.resources.experiments import PostgresExperiments
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_rows import FolderLakeRows
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.notices import NoticeOutbox, PostgresNotices
from orchestration.resources.pages import FolderPages
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.pull.vendors import VendorPull
from orchestration.resources.quarantine import PostgresQuarantine
from orchestration.resources.readings import InstallationReadings
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.reference import ParquetReference
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.scored_rows import WarehouseScoredRows
from orchestration.resources.scoring import WarehouseScorer
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.serving import PostgresPublisher
from orchestration.resources.settings import Settings
from orchestration.resources.signal_models import SignalModels
from orchestration.resources.signal_readers import reader_of
from orchestration.resources.signals import FolderSignals
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse import EngineWarehouse
from orchestration.resources.workers import Outside, ProcessWorkers

if TYPE_CHECKING:
    from orchestration.privacy_desk import PrivacyDesk
    from orchestration.resources.retained import Retained


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
    lake_rows: FolderLakeRows
    quarantine: PostgresQuarantine
    ledger: PostgresLedger
    reference: ParquetReference
    warehouse: EngineWarehouse
    publisher: PostgresPublisher
    outbox: NoticeOutbox
    lookup: VaultLookup
    client: httpx.Client
    dbt: DbtRunner
    identity: PostgresIdentity
    pull: VendorPull
    workers: ProcessWorkers
    experiments: PostgresExperiments
    pages: FolderPages
    notices: PostgresNotices
    drift: PostgresDrift
    scored_rows: WarehouseScoredRows
    scorer: WarehouseScorer
    signals: FolderSignals
    signal_models: SignalModels
    signal_reader: SignalReader
    readings: InstallationReadings
    registry: MlflowRegistry
    audit: PostgresAudit

    def privacy(self) -> "PrivacyDesk":
        """Requests of people about their own data."""
        from orchestration.privacy_desk import PrivacyDesk  # it knows this class
        from orchestration.privacy_office import Office
        from orchestration.resources.privacy import PostgresRequests

        requests = PostgresRequests(self.state, self.vault)
        return PrivacyDesk(self, Office(self.settings, self.state, self.vault, self.clock, self.audit, requests))

    def retention(self) -> "Retained":
        """What is kept how long."""
        from orchestration.resources.retained import Retained
        from orchestration.resources.retention import PostgresRetention

        return Retained(self.state, self.lake, self.settings.reference, PostgresRetention(self.state, self.vault))

    def ports(self) -> dict[str, Any]:
        """Adapters by the names under which assets and sensors ask for them."""
        told = self.settings
        tools = SenderTools(
            self.client, self.lookup, told.whatsapp_url, told.messenger_url, told.instagram_url, told.gmail_url, told.google_token_url,
            told.razorpay_url, told.calendly_url, told.smtp_url, told.mail_from,
        )  # fmt: skip
        return {
            "clock": self.clock,
            "progress": self.progress,
            "vault": self.vault,
            "inbox": self.inbox,
            "lake": self.lake,
            "lake_rows": self.lake_rows,
            "quarantine": self.quarantine,
            "ledger": self.ledger,
            "reference": self.reference,
            "warehouse": self.warehouse,
            "publisher": self.publisher,
            "outbox": self.outbox,
            "senders": DrySenders(senders(tools), ActionDesk(self.state, self.vault), is_dry=self.settings.dry_run),
            "receipts": InboxReceipts(self.settings.inbox, self.lookup),
            "dbt": self.dbt,
            "identity": self.identity,
            "pull": self.pull,
            "workers": self.workers,
            "experiments": self.experiments,
            "pages": self.pages,
            "notices": self.notices,
            "baselines": self.drift,
            "drift_journal": self.drift,
            "scored_rows": self.scored_rows,
            "scorer": self.scorer,
            "signals": self.signals,
            "signal_models": self.signal_models,
            "signal_reader": self.signal_reader,
            "readings": self.readings,
            "registry": self.registry,
            "audit": self.audit,
            "privacy": self.privacy(),
            "retention": self.retention(),
        }


@contextlib.contextmanager
def open_platform(
    settings: Settings, clock: Clock | None = None, progress: Progress | None = None, known_at: datetime | None = None
) -> Iterator[Platform]:
    """Open every adapter of an installation; the state is held for as long as the block lasts.

    With `known_at`, identity and warehouse see only what was received by then.
    """
    clock, progress = clock or SystemClock(), progress or TerminalProgress()
    timeout = httpx.Timeout(settings.http_read_seconds, connect=settings.http_connect_seconds)
    with (
        open_state(settings) as state,
        httpx.Client(timeout=timeout) as client,
        contextlib.closing(
            DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, state.libpq_url), settings.reports)
        ) as dbt,
    ):
        vault, lake = Vault(state, settings.master_key()), FolderLake(settings.lake, settings.lake_file_mb << 20, known_at)
        warehouse = warehouse_of(settings, state.libpq_url)
        yield Platform(
            settings=settings,
            state=state,
            clock=clock,
            progress=progress,
            vault=vault,
            inbox=FolderInbox(settings.inbox, timedelta(days=settings.done_days)),
            lake=lake,
            lake_rows=FolderLakeRows(settings.lake),
            quarantine=PostgresQuarantine(state, vault, clock),
            ledger=PostgresLedger(state, vault, clock, GoogleKeys(settings.google_keys_url, settings.google_keys, clock)),
            reference=ParquetReference(settings, state, known_at),
            warehouse=warehouse,
            publisher=PostgresPublisher(state, warehouse, clock),
            outbox=NoticeOutbox(state, _lease(settings), settings.delivery_hands),
            lookup=VaultLookup(state, vault, clock),
            client=client,
            dbt=dbt,
            identity=PostgresIdentity(state, vault),
            pull=VendorPull(settings, state, vault, client, clock, progress),
            workers=ProcessWorkers(lake, vault, Outside(settings.lake, state.libpq_url, settings.master_key())),
            experiments=PostgresExperiments(state, vault),
            pages=FolderPages(settings.reports),
            notices=PostgresNotices(state, settings.operations_tenant),
            drift=PostgresDrift(state),
            scored_rows=WarehouseScoredRows(warehouse),
            scorer=WarehouseScorer(warehouse),
            signals=FolderSignals(settings.reference, settings.lake, state),
            signal_models=(models := SignalModels(settings.models, vault)),
            signal_reader=reader_of(settings, models, client),
            readings=InstallationReadings(settings, state, warehouse),
            registry=MlflowRegistry(state, vault, settings.models),
            audit=PostgresAudit(state, vault),
        )


def _lease(settings: Settings) -> timedelta:
    """Twice what one try may take: to connect, to write, to begin an answer and to end it."""
    return timedelta(seconds=2 * (settings.http_connect_seconds + 3 * settings.http_read_seconds))
