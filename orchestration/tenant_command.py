"""`flexoraa tenant apply`: the tenants file into an installation's state.

Here belongs opening what the adapter needs. Not here: what the file may say.
"""

import os
from pathlib import Path

from orchestration.resources.clock import SystemClock
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.tenants import ApplyResult, apply_file
from orchestration.resources.vault import Vault


def apply_result(settings: Settings, file: Path) -> ApplyResult:
    """Apply, and say what changed."""
    with open_state(settings) as state:
        return apply_file(file, state, Vault(state, settings.master_key()), SystemClock().now(), os.environ)


def apply_tenants(settings: Settings, file: Path) -> str:
    """Apply, and say in a sentence what changed."""
    result = apply_result(settings, file)
    parts = [f"applied {', '.join(result.applied)} ({result.rows} rows)"] if result.applied else []
    parts += [f"unchanged {', '.join(result.unchanged)}"] if result.unchanged else []
    return "; ".join(parts) or "the file names no tenant"
