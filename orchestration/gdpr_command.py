"""`flexoraa gdpr`: the office and the execution, opened over an installation.

Here belongs wiring for a command and for Dagster. Not here: the command line (`gdpr_cli`), any rule.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from core.ports import Clock
from orchestration.erasure.run import Stores
from orchestration.erasure.subjects import SubjectKeys
from orchestration.privacy_office import Office
from orchestration.privacy_run import Execution
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.clock import SystemClock
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.privacy import PostgresRequests
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.retention import PostgresRetention
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse_postgres import warehouse_database, warehouse_url


@contextmanager
def open_office(settings: Settings, clock: Clock | None = None) -> Iterator[Office]:
    """For what people decide: the state alone."""
    clock = clock or SystemClock()
    with open_state(settings) as state:
        vault = Vault(state, settings.master_key())
        yield Office(settings, state, vault, clock, PostgresAudit(state, vault), PostgresRequests(state, vault))


def office_of(platform: Platform) -> Office:
    """Over an open installation."""
    requests = PostgresRequests(platform.state, platform.vault)
    return Office(platform.settings, platform.state, platform.vault, platform.clock, platform.audit, requests)


@contextmanager
def open_execution(settings: Settings, clock: Clock | None = None, *, quiet: bool = False) -> Iterator[tuple[Office, Execution]]:
    """For what is executed: every store."""
    with open_platform(settings, clock, TerminalProgress(quiet=quiet)) as platform:
        yield office_of(platform), execution_of(platform)


def execution_of(platform: Platform) -> Execution:
    """Over an open installation."""
    requests = PostgresRequests(platform.state, platform.vault)
    keys = SubjectKeys(platform.settings.secrets)
    addresses = databases(platform)
    stores = Stores(
        platform.settings, platform.state, platform.clock, platform.vault, platform.inbox, platform.lake, requests, keys,
        addresses.get("warehouse"),
    )  # fmt: skip
    holds = PostgresRetention(platform.state, platform.vault).holds()
    return Execution(
        stores,
        platform.ledger,
        platform.workers,
        platform.identity,
        platform.audit,
        platform.progress,
        addresses,
        platform.warehouse,
        holds,
    )


def databases(platform: Platform) -> dict[str, str]:
    """Addresses, as libpq reads them, of all databases of the installation's server that hold anything of ours."""
    found = {"state": platform.state.libpq_url}
    with platform.state.psycopg() as connection:
        name = warehouse_database(platform.state.libpq_url)
        if connection.execute("select from pg_database where datname = %s", (name,)).rowcount:
            found["warehouse"] = warehouse_url(platform.state.libpq_url)
    return found
