"""A program that executes a request in children, each of which dies, as by kill -9, at one moment of one step, or finds the disk full.

Argument: the home. Reads `request step moment` a line, or `request full BYTES` where no file may grow beyond; forks, and answers with the
child's status, of an error the exit code that the command would end with. It uses no thread itself, so a child may start those of its
libraries. Not a test.
"""

import dataclasses
import os
import resource
import signal
import sys
from pathlib import Path

import polars  # noqa: F401 — once, and not in each child
import pyarrow.dataset  # noqa: F401 — with it pandas: half of what a child costs

import orchestration.verifier.verify
import orchestration.verifier.witness  # noqa: F401
from orchestration.errors import exit_code
from orchestration.gdpr_command import open_execution
from orchestration.resources.clock import FixedClock
from orchestration.resources.settings import Settings
from tests.orchestration.privacy_world import END, OPERATOR


def execute(home: str, request_id: str, step: str, moment: str) -> None:
    if step == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(moment), int(moment)))

    def watch(at: str, what: str) -> None:
        if (at, what) == (step, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    with open_execution(Settings.load(Path(home), {}), FixedClock(END), quiet=True) as (_, execution):
        dataclasses.replace(execution, watch=watch).run([request_id], OPERATOR)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                execute(sys.argv[1], *line.split())
            except BaseException as error:  # noqa: BLE001 — told, and nothing of the parent's is run at its end
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(exit_code(error) or 70 if isinstance(error, Exception) else 70)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
