"""On disk before 200: kill -9 leaves what the kernel has not written yet, so here the calls that write it are watched, in this process.

The collector is the real one over ASGI, on a real disk; only `fdatasync` and `fsync` are seen through, slowed or made to fail.
"""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestration.collector.app import Collector
from orchestration.collector.connections import Connections
from orchestration.collector.fair import FairQueue
from orchestration.collector.segments import SegmentWriter
from orchestration.resources.clock import SystemClock
from orchestration.resources.google_keys import GoogleKeys
from tests.orchestration.collecting import Home, opened_home

SYNC_SECONDS = 0.01
"""Of a sync, long enough for requests to gather while one group is written."""

EVERY_SECONDS = 0.0005
"""A request comes, so that there are several groups."""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with opened_home(1) as opened:
        yield opened


class Disk:
    """What a power cut would leave: the bytes and names as they were when a sync began that has ended well."""

    def __init__(self) -> None:
        self.files: dict[int, bytes] = {}
        self.named: set[int] = set()
        self.syncs = 0
        self.is_broken = False

    def seen_through(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def watched(fd: int) -> None:
            about = os.fstat(fd)
            if stat.S_ISDIR(about.st_mode):
                with os.scandir(fd) as entries:
                    inodes = {each.inode() for each in entries}
                sync(fd)
                self.named |= inodes
                return
            content = Path(f"/proc/self/fd/{fd}").read_bytes()
            time.sleep(SYNC_SECONDS)
            if self.is_broken:
                raise OSError(errno.EIO, "the disk does not answer")
            sync(fd)
            self.files[about.st_ino] = content
            self.syncs += 1

        return watched

    def holds(self, body: bytes) -> bool:
        """Whether the line of this body would be found again, in a file that has a name."""
        text = body.decode().replace('"', '\\"').encode()
        return any(text in content and inode in self.named for inode, content in list(self.files.items()))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    watched = Disk()
    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, watched.seen_through(getattr(os, name)))
    return watched


def collector(home: Home, rotate_bytes: int) -> Collector:
    platform, clock = home.platform, SystemClock()
    keys = GoogleKeys(platform.settings.google_keys_url, platform.settings.google_keys, clock)
    connections = Connections(platform.state, platform.ledger, keys, clock)
    return Collector(connections, SegmentWriter(home.inbox, clock, rotate_bytes), FairQueue(), clock)


async def post_all(home: Home, disk: Disk, names: list[str], rotate_bytes: int = 64 << 20) -> tuple[dict[str, int], list[str]]:
    """Each answer's status, and which were told 200 while a power cut would still have lost them."""
    sender, app = home.senders[0], collector(home, rotate_bytes)
    early: list[str] = []

    async def watched(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        name = dict(scope["headers"])[b"x-name"].decode()

        async def answer(message: Any) -> None:
            if message.get("status") == 200 and not disk.holds(sender.report(name)):
                early.append(name)
            await send(message)

        await app(scope, receive, answer)

    async def post(client: httpx.AsyncClient, name: str, after_seconds: float) -> int:
        await asyncio.sleep(after_seconds)
        body = sender.report(name)
        headers = sender.signed(body) | {"X-Name": name}
        return (await client.post("http://collector/hooks/platform", content=body, headers=headers)).status_code

    asked: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    living = asyncio.create_task(app({"type": "lifespan"}, asked.get, told.put))
    await asked.put({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(watched)) as client:
            statuses = await asyncio.gather(*(post(client, name, number * EVERY_SECONDS) for number, name in enumerate(names)))
    finally:
        await asked.put({"type": "lifespan.shutdown"})
        await living
    return dict(zip(names, statuses, strict=True)), early


@pytest.mark.parametrize("rotate_bytes", [64 << 20, 5_000], ids=["one segment", "many segments"])
def test_nothing_is_acknowledged_before_a_sync_that_began_after_its_line_was_written(home: Home, disk: Disk, rotate_bytes: int) -> None:
    home.clear()
    names = [f"durable-{n}" for n in range(300)]
    statuses, early = asyncio.run(post_all(home, disk, names, rotate_bytes))
    assert statuses == dict.fromkeys(names, 200)
    assert early == []
    assert 2 < disk.syncs < 150  # several groups, of several requests each
    assert len(home.lines()) == 300


def test_a_sync_that_fails_acknowledges_nobody_and_keeps_nothing(home: Home, disk: Disk) -> None:
    home.clear()
    disk.is_broken = True
    names = [f"broken-{n}" for n in range(50)]
    statuses, early = asyncio.run(post_all(home, disk, names))
    assert statuses == dict.fromkeys(names, 503)
    assert (early, home.lines()) == ([], [])
    disk.is_broken = False
    assert asyncio.run(post_all(home, disk, ["after"])) == ({"after": 200}, [])
