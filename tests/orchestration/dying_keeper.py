"""A program that restores in children, each of which is killed with -9 when it comes to a step.

Reads `STEP HOME BACKUP KEYS ERASURES` a line, forks, and answers with the child's status: four children cost the imports of one. Not a test.
"""

import os
import signal
import sys
from pathlib import Path

import pyarrow.dataset  # noqa: F401 — once, and not in each child

from orchestration.backup.restore import Sources, restore
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings


def die(step: str, home: str, backup: str, keys: str, erasures: str) -> None:
    """Restore and die."""

    def watch(come_to: str) -> None:
        if come_to == step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings.load(Path(home), {}, is_restoring=True)
    restore(settings, Sources(Path(backup), Path(keys), Path(erasures)), TerminalProgress(quiet=True), watch)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                die(*line.split())
            except BaseException as error:  # noqa: BLE001 — told, and nothing of the parent's is run at its end
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
