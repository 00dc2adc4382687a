"""Which files of signals there are, for whoever builds a warehouse from them.

Here belong their places. Not here: how they are made (`signals`).
"""

from pathlib import Path

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
