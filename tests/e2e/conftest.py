"""End to end: the `flexoraa` command as a user runs it, in processes of its own, on a home in a temporary folder."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.resources.settings import Settings
from orchestration.resources.warehouse import Mart, Warehouse
from tests.shared_demo import copied, shared_demo

ROOT = Path(__file__).resolve().parents[2]
END_AT = "2026-11-20T12:00:00Z"
WARNED = "marts/fct_billing_reconciliation: fct_billing_reconciliation_has_no_difference"
"""What warns of money that the payment provider owes: the simulator plants it, and replayed donations are never settled."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def flexoraa(*arguments: str | Path, **env: str) -> Ran:
    """Run the command; nothing of the tests' own environment points at an installation.

    Messages are not read unless a test asks for it: 5 s of scikit-learn a run.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
    command = [sys.executable, "-m", "orchestration.cli", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=clean | {"FLEXORAA_SIGNALS": "off"} | env, check=False, timeout=500
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def fingerprints(home: Path) -> dict[str, Mart]:
    """Ordered checksums of all marts of a home."""
    settings = Settings(home)
    return dict(Warehouse(settings.warehouse, settings.lake, settings.reference).fingerprints())


@pytest.fixture(scope="session")
def demo() -> Iterator[tuple[Path, Ran]]:
    """A demo of one's own; tests that change its home make it whole again or come last in their file."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-e2e-") as folder:
        Path(folder).chmod(0o711)
        own = copied(shared_demo(), Path(folder) / "demo")
        yield own.home, Ran(own.code, own.out, own.err)
