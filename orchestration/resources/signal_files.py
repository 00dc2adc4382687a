"""Which files of signals there are, for whoever builds a warehouse from them.

Here belong their places. Not here: how they are made (`signals`).
"""

from collections.abc import Sequence
from pathlib import Path

from core.columns import columns
from core.signals import MessageSignal
from orchestration.resources.lake_views import empty_query, quote

FOLDER = "signals"
"""In the folder of reference tables."""

STATE = "fingerprint"


def live_signals(reference: Path) -> list[Path]:
    """Every file of signals, by name."""
    return sorted((reference / FOLDER).glob("event_date=*/*.parquet"))


def fingerprint_of_signals(reference: Path) -> str:
    """What all of them were read by; empty before the first reading. Another one means other rows for old messages."""
    path = reference / FOLDER / STATE
    return path.read_text(encoding="ascii") if path.exists() else ""


def signals_query(reference: Path, files: Sequence[Path] | None = None) -> str:
    """Their rows as a query of DuckDB; `files` in place of all."""
    files = live_signals(reference) if files is None else files
    if not files:
        return empty_query(MessageSignal)
    names = ", ".join(column.name for column in columns(MessageSignal))
    return f"select {names} from read_parquet([{', '.join(map(quote, files))}], hive_partitioning = false)"
