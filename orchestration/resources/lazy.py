"""Adapters for Dagster processes: opened when a run or a sensor first asks, so that a code location loads without a database.

Here belongs that delay, and the lock that makes runs of one installation follow each other. Not here: the adapters.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.resources.clients import alone
from orchestration.resources.settings import Settings

if TYPE_CHECKING:
    from orchestration.resources.platform import Platform

PORTS = (
    "clock", "progress", "vault", "inbox", "lake", "lake_rows", "quarantine", "ledger", "reference", "warehouse", "publisher",
    "outbox", "senders", "receipts",
    "dbt", "identity", "pull", "workers", "experiments", "pages", "audit", "privacy", "retention", "notices",
    "baselines", "drift_journal", "scored_rows", "scorer",
    "signals", "signal_models", "signal_reader",
    "readings",
    "registry",
)  # fmt: skip

_OPENED = ExitStack()
_ONE = threading.Lock()
"""Sensors are evaluated in several threads, and the first that asks opens the platform for all."""


@cache
def _platform() -> "Platform":
    """The installation that the environment names, held until the process ends."""
    import atexit

    from orchestration.resources.platform import open_platform  # here: 1 s of drivers that loading definitions does not need

    atexit.register(_OPENED.close)
    return _OPENED.enter_context(open_platform(Settings.load()))


def _port(name: str) -> dg.ResourceDefinition:
    def opened(_context: dg.InitResourceContext) -> Any:
        with _ONE:
            port = _platform().ports()[name]
        if name == "dbt":
            port.warm()  # 4 s of imports, while the run waits for the lock and takes in
        return port

    return dg.ResourceDefinition(resource_fn=opened, description=f"The port {name} of this installation.")


def lazy_ports() -> dict[str, dg.ResourceDefinition]:
    """Every port as a resource."""
    return {name: _port(name) for name in PORTS}


@dg.resource(description="Runs of one installation follow each other: DuckDB has one writer.")
def run_lock(_context: dg.InitResourceContext) -> Iterator[None]:
    """Hold the installation's run lock for the length of a run."""
    with alone(Settings.load().home):
        yield
