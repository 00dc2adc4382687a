"""A program that takes in, replays or remodels in a room and kills itself at a numbered step: a change of a folder, or a commit.

Here belongs dying. What must be true afterwards is told in test_quarantine.py. Argument: home. Each line on standard input is a
room's folder, an action and a step; the answer is how it ended.
"""

import os
import signal
import sys
from pathlib import Path

import polars  # noqa: F401 — once, not in every fork
import pyarrow.parquet  # noqa: F401 — as above
import sqlalchemy

from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings
from tests.assets.quarantine_world import Room

_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir")


def act(home: Path, folder: Path, action: str, step: int) -> None:
    """Until death, or the end."""
    left = [step]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_platform(Settings.load(home, {})) as platform:
        room = Room(folder, platform)
        sys.addaudithook(lambda event, arguments: count() if event in _CHANGES and str(arguments[0]).startswith(str(folder)) else None)
        sqlalchemy.event.listen(platform.state.engine, "commit", count)
        getattr(room, action)()


def main() -> None:
    """A child for each line."""
    home = Path(sys.argv[1])
    for line in sys.stdin:
        folder, action, step = line.split()
        child = os.fork()
        if child == 0:
            act(home, Path(folder), action, int(step))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print("died" if os.WIFSIGNALED(status) else ("done" if status == 0 else "failed"), flush=True)


if __name__ == "__main__":
    main()
