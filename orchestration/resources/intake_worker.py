"""A process that takes in the blocks that come over its standard input, and says over its standard output what each came to.

Here belongs that process. It ends with its input; and with the process that started it, so that a killed run leaves nobody who writes. Not
here: who asks (`workers`), what becomes of a block (`assets.block`).
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import traceback
from pathlib import Path

import pyarrow as pa

from assets.block import Keyring, take_block
from core.intake import Directory
from core.ports import Task
from orchestration.resources.lake import FolderLake
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from orchestration.resources.workers import Done, Failure, Hello, receive, receive_task, send

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the input ends."""
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints must not mix with the answers
    pa.set_cpu_count(1)
    hello = receive(source, Hello)
    if hello is None:
        return
    _die_with(hello.parent)
    directory = Directory(dict(hello.accounts))
    state = State(hello.libpq_url)
    lake, keyring = FolderLake(Path(hello.lake)), Keyring(Vault(state, hello.master_key))
    gc.freeze()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(state.dispose)
        while (task := receive_task(source)) is not None:
            send(answers, _answer(task, directory, lake, keyring))


def _answer(task: Task, directory: Directory, lake: FolderLake, keyring: Keyring) -> Done | Failure:
    try:
        return Done(take_block(task, directory, lake, keyring))
    except OSError as error:
        return Failure(error.strerror or str(error), error.errno, None if error.filename is None else str(error.filename))
    except Exception:  # noqa: BLE001 — whoever asked raises it again
        return Failure(traceback.format_exc())


def _die_with(parent: int) -> None:
    """Have the kernel end this process as soon as its parent is gone; elsewhere than on Linux it ends after its block."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
