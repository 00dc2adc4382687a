"""One demo for all test processes of a session: a minute of CPU, so nobody makes another.

Here belongs making it once. Whoever changes a home takes a copy (`copied`); pages, Dagster's UI and notebooks only look.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from orchestration.resources.settings import Settings
from orchestration.resources.warehouse import Warehouse

END_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[1]
_FOLDER = "TESTS_SHARED_FOLDER"
_is_own = False


class Demo(NamedTuple):
    """Where it lies, and how the command ended."""

    home: Path
    code: int
    out: str
    err: str


def begin() -> None:
    """In the process that starts the others: where what they share lies. Below the temporary folder, for short socket paths.

    A folder that the environment names already is used and left: so a demo outlives the run while one works on these tests.
    """
    global _is_own
    if _FOLDER not in os.environ:
        os.environ[_FOLDER], _is_own = tempfile.mkdtemp(prefix="flexoraa-s-"), True
        Path(os.environ[_FOLDER]).chmod(0o711)  # the embedded server's own user must get through


def end() -> None:
    """Remove it."""
    if _is_own:
        shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


def shared_demo() -> Demo:
    """The first to come makes it, the others wait."""
    folder = Path(os.environ[_FOLDER])
    home, told = folder / "demo", folder / "demo.json"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
            command = [sys.executable, "-m", "orchestration.cli", "demo", "--quiet", "--home", str(home)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean, check=False, timeout=500)
            _copy(home, folder / "cold")  # while no server runs on it
            told.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    code, out, err = json.loads(told.read_text())
    return Demo(home, code, out, err)


def copied(demo: Demo, home: Path) -> Demo:
    """A home of one's own, as it was when the demo ended."""
    _copy(demo.home.parent / "cold", home)
    if (settings := Settings(home)).warehouse.exists():
        Warehouse(settings.warehouse, settings.lake, settings.reference).prepare()  # its views name files by their whole path
    return Demo(home, demo.code, demo.out.replace(str(demo.home), str(home)), demo.err)


def _copy(there: Path, here: Path) -> None:
    """With owners and rights: the embedded server's folder is its own user's."""
    if there.exists():
        subprocess.run(["cp", "-a", str(there), str(here)], check=True)
