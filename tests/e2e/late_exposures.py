"""Exposures that come after an experiment was killed, as the operating system would tell of them.

Here belongs writing them into a home's inbox. Not here: what must become of them.
"""

import random
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from core.sources.platform import Contact, ExperimentExposed
from orchestration.simulator.business import make_business
from orchestration.simulator.trials import trial_of
from orchestration.simulator.wire import platform_wire


def drop(home: Path, seed: int, days: int, end: datetime, people: int) -> str:
    """People whom the first tenant's experiment meets from the end on, one a minute; returns the experiment's id."""
    business = make_business(0, seed, end - timedelta(days=days), end)
    trial, rng = trial_of(business), random.Random(seed)
    lines = []
    for number in range(people):
        at = end + timedelta(minutes=number)
        event = ExperimentExposed(
            id=f"late_{number}",
            account_id=business.workspace,
            occurred_at=at,
            contact=Contact("phone", f"+9199887{number:05d}"),
            experiment_id=trial.id,
            variant=trial.treatment if number % 2 else trial.control,
        )
        lines.append(platform_wire(msgspec.json.encode(event).decode(), business.secrets["platform"], rng).line(at))
    (home / "inbox" / "late.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
    return trial.id
