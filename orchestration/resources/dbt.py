"""dbt as a program: its resource for Dagster, and a manifest that is never older than the project.

Here belongs how dbt is started. Not here: running models (`assets.warehouse`), what they say (`dbt_project`).
"""

import fcntl
import subprocess
import sys
from pathlib import Path

from assets.project import MANIFEST, PROJECT

_PARTS = ("models", "macros", "seeds", "snapshots", "tests")


class DbtError(Exception):
    """The dbt project cannot be read; the message holds dbt's own words."""


def executable() -> str:
    """The dbt of this Python's environment, whatever PATH says."""
    return str(Path(sys.executable).parent / "dbt")


def dbt_resource():  # type: ignore[no-untyped-def]  # noqa: ANN201 — naming its type here would import dagster_dbt for every command
    """DbtCliResource of this project."""
    from dagster_dbt import DbtCliResource  # here: 2 s that most commands never need

    return DbtCliResource(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=executable())


def ensure_manifest() -> None:
    """Run `dbt parse` where the manifest is missing or older than a file of the project. Safe among processes.

    Raises:
        DbtError: the project does not parse.
    """
    if _is_current():
        return
    MANIFEST.parent.mkdir(exist_ok=True)
    with (MANIFEST.parent / "parse.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current():
            return
        command = [executable(), "--quiet", "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        command += ["--target-path", str(MANIFEST.parent), "--log-path", str(MANIFEST.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — our own program and paths
        if done.returncode != 0:
            raise DbtError(f"dbt cannot read the project:\n{done.stdout.strip()}\n{done.stderr.strip()}")
        MANIFEST.touch()


def _is_current() -> bool:
    if not MANIFEST.exists():
        return False
    made = MANIFEST.stat().st_mtime
    files = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml", *(path for part in _PARTS for path in (PROJECT / part).rglob("*"))]
    return all(path.stat().st_mtime <= made for path in files if path.exists())
