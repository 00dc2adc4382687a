"""Processes that take blocks in beside this one: Python runs on one core, and most of what intake does is Python.

Here belongs starting and asking them, and what goes over their pipes. Not here: what becomes of a block (`assets.block`), the process
itself (`intake_worker`).
"""

import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NamedTuple, TypeVar, cast

import msgspec
from msgspec import Struct

from assets.intake import InProcess
from assets.project import PROJECT
from core.intake import Account, Directory
from core.ports import Lake, Part, Task, Vault

MOST = 8
"""Workers at most: one process feeds them, and reads, checks the hash of and cuts 700 MB a second."""

EACH_BYTES = 8 << 20
"""A worker takes 0.6 s to start, in which this process takes in as much as this."""

_LENGTH_BYTES = 8
T = TypeVar("T")


class Outside(NamedTuple):
    """What a worker opens: the lake's folder, the state and the vault."""

    lake: Path
    libpq_url: str
    master_key: bytes


class Hello(Struct):
    """The first thing that a worker is told, over its pipe and not on its command line, for it holds secrets."""

    parent: int
    lake: str
    libpq_url: str
    master_key: bytes
    accounts: list[tuple[tuple[str, str], list[Account]]]


class Failure(Struct, tag=True):
    """Why a block was not taken in; `number` and `path` where the system said so."""

    words: str
    number: int | None = None
    path: str | None = None


class Done(Struct, tag=True):
    """What it came to."""

    part: Part


class WorkerError(Exception):
    """A worker failed or died; the message says how."""


def send(stream: IO[bytes], message: object) -> None:
    """One message with its length before it."""
    encoded = msgspec.msgpack.encode(message)
    stream.write(len(encoded).to_bytes(_LENGTH_BYTES, "little"))
    stream.write(encoded)
    stream.flush()


def send_task(stream: IO[bytes], task: Task) -> None:
    """The same of a block, whose bytes follow as they are: packed they would be copied twice."""
    data = task.block.data
    send(stream, (task._replace(block=task.block._replace(data=b"")), len(data)))
    stream.write(data)
    stream.flush()


def receive_task(stream: IO[bytes]) -> Task | None:
    """The next block to take in; None where there is none."""
    found = receive(stream, tuple[Task, int])
    if found is None:
        return None
    task, length = found
    data = stream.read(length)
    return task._replace(block=task.block._replace(data=data)) if len(data) == length else None


def receive(stream: IO[bytes], kind: type[T]) -> T | None:
    """The next message; None where the other side has closed its end."""
    length = stream.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    encoded = stream.read(int.from_bytes(length, "little"))
    return msgspec.msgpack.decode(encoded, type=kind)


class ProcessWorkers:
    """The port `core.ports.Workers`: a process a core, for the length of a run that has enough to do; else this process."""

    def __init__(self, lake: Lake, vault: Vault, outside: Outside, count: int | None = None, each_bytes: int = EACH_BYTES) -> None:
        """`count` of processes: by default one a core, at most `MOST`, and one for `each_bytes` that there are to take in."""
        self._in_process = InProcess(lake, vault)
        self._outside = outside
        self._count = count or min(MOST, len(os.sched_getaffinity(0)))
        self._each_bytes = each_bytes

    def work(self, tasks: Iterable[Task], directory: Directory, size_bytes: int) -> Iterator[Part]:
        """What each task came to, in their order.

        Raises:
            OSError: as a worker met it, such as a full disk.
            WorkerError: anything else.
        """
        count = min(self._count, size_bytes // self._each_bytes)
        if count < 2:
            yield from self._in_process.work(tasks, directory, size_bytes)
            return
        hello = Hello(
            os.getpid(), str(self._outside.lake), self._outside.libpq_url, self._outside.master_key, list(directory.accounts.items())
        )
        with contextlib.ExitStack() as stack:
            idle: SimpleQueue[_Worker] = SimpleQueue()
            for _ in range(count):
                idle.put(stack.enter_context(contextlib.closing(_Worker(hello))))
            pool = stack.enter_context(contextlib.closing(_Pool(count)))
            asked: deque[Future[Part]] = deque()
            for task in tasks:
                asked.append(pool.submit(idle, task))
                if len(asked) > count + 1:  # one is read ahead, so that nobody waits for the disk
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()


class _Pool:
    """A thread a worker, each waiting for its answer."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)

    def submit(self, idle: "SimpleQueue[_Worker]", task: Task) -> "Future[Part]":
        return self._threads.submit(self._ask, idle, task)

    @staticmethod
    def _ask(idle: "SimpleQueue[_Worker]", task: Task) -> Part:
        worker = idle.get()
        try:
            return worker.ask(task)
        finally:
            idle.put(worker)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


class _Worker:
    """One process. It ends with its input, and with this process however that ends."""

    def __init__(self, hello: Hello) -> None:
        command = [sys.executable, "-m", "orchestration.resources.intake_worker"]
        # a thread for tables of a thousand rows costs more than it does, and there is a process a core already
        env = os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, cwd=PROJECT.parent, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with contextlib.suppress(BrokenPipeError):  # the first answer will say so
            send(self._stdin, hello)

    def ask(self, task: Task) -> Part:
        with contextlib.suppress(BrokenPipeError):
            send_task(self._stdin, task)
        answer = receive(self._stdout, Done | Failure)  # type: ignore[arg-type]  # a union is no type for mypy, and one for msgspec
        match answer:
            case Done(part):
                return part
            case Failure(words, None, _):
                raise WorkerError(f"a worker of the intake failed:\n{words}")
            case Failure(words, number, path):
                raise OSError(number, words, path)
        raise WorkerError(f"a worker of the intake died with exit code {self._process.wait()}: what was not published is taken in again")

    def close(self) -> None:
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdin)  # a pipe was asked for

    @property
    def _stdout(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdout)
