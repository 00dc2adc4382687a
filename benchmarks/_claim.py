"""What every benchmark prints.

Here belongs the shape of a claim and timing by the best of several runs. Not here: what is measured.
"""

import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Claim:
    """One measured claim; `ratio` is value over reference, and holds where it is at most (or, `is_floor`, at least) the target."""

    claim: str
    value: float
    unit: str
    reference: str
    reference_value: float
    target: float
    size: str
    is_floor: bool = False
    peak_rss_mb: int | None = None
    """Of what is measured, where that is not simply this process and its largest child."""

    def report(self) -> str:
        """One JSON object."""
        ratio = self.value / self.reference_value
        rows = asdict(self)
        rows.pop("is_floor")
        largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        rows |= {
            "value": round(self.value, 3),
            "reference_value": round(self.reference_value, 3),
            "ratio": round(ratio, 3),
            "holds": ratio >= self.target if self.is_floor else ratio <= self.target,
            "cores": os.cpu_count(),
            "peak_rss_mb": round(largest / 1024) if self.peak_rss_mb is None else self.peak_rss_mb,
        }
        return json.dumps(rows)


def best_seconds(command: Sequence[str], runs: int, env: dict[str, str], cwd: Path = ROOT) -> float:
    """The quickest of several runs of a program, in seconds; raises CalledProcessError where one fails."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, env=env, cwd=cwd, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
