"""A restore that is killed with -9 when it comes to a step: `python -m tests.orchestration.dying_keeper STEP HOME BACKUP KEYS ERASURES`."""

import os
import signal
import sys
from pathlib import Path

from orchestration.backup.restore import Sources, restore
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings


def main(step: str, home: str, backup: str, keys: str, erasures: str) -> None:
    """Restore and die."""

    def watch(come_to: str) -> None:
        if come_to == step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings.load(Path(home), {}, is_restoring=True)
    restore(settings, Sources(Path(backup), Path(keys), Path(erasures)), TerminalProgress(quiet=True), watch)


if __name__ == "__main__":
    main(*sys.argv[1:])
