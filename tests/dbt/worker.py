"""One dbt worker for all DuckDB builds of a test process: dbt is imported and the project read once, 10 s of processor time a build less.

Here belongs that worker and the file that it builds in. Not here: rows (`tests.dbt.warehouse`), the other engines (`tests.dbt.engines`).
"""

import atexit
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.resources.dbt import DbtError, DbtRunner, ensure_manifest
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.settings import Settings


def invoke(warehouse: Path, command: str, *arguments: str) -> list[dict[str, Any]]:
    """Run a command of dbt on this DuckDB file; its events, or `DbtError` with its words."""
    runner, place = _worker()
    place.unlink(missing_ok=True)
    place.symlink_to(warehouse)  # the worker's profile names one file for as long as it lives
    return list(runner.invoke(command, arguments))


def unit_tests_passed(warehouse: Path) -> int:
    """How many of dbt's unit tests ran; one that fails raises."""
    events = invoke(warehouse, "test", "--select", "test_type:unit")
    return [event["data"].get("status") for event in events].count("pass")


def tests_failed(warehouse: Path, *arguments: str) -> tuple[set[str], int]:
    """Run dbt's tests of these arguments; the models and seeds of which one failed, and how many ran."""
    ran: dict[str, str] = {}
    with suppress(DbtError):
        runner, place = _worker()
        place.unlink(missing_ok=True)
        place.symlink_to(warehouse)
        for event in runner.invoke("test", arguments):
            if event["info"]["name"] == "LogTestResult":
                ran[event["data"]["attached_node"].rpartition(".")[2]] = event["data"]["status"]
    assert set(ran.values()) <= {"pass", "fail"}, ran
    return {name for name, status in ran.items() if status == "fail"}, len(ran)


@cache
def _worker() -> tuple[DbtRunner, Path]:
    home = tempfile.TemporaryDirectory(prefix="flexoraa-dbt-")
    settings = Settings.load(Path(home.name), {})
    settings.make_folders()
    ensure_manifest()
    runner = DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, None))
    atexit.register(home.cleanup)
    atexit.register(runner.close)  # before the folder goes
    return runner, settings.warehouse
