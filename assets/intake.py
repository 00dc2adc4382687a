"""Taking in what is pending: segments into blocks, blocks to workers, and what they made published and written down, segment by segment.

Here belongs when a segment is done. Not here: what becomes of a line (`assets.block`), Dagster (`assets.ingest`).
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from assets.block import Keyring, take_block
from core.breaker import Tripped, judge
from core.intake import Directory
from core.ports import Block, Count, Held, Inbox, Lake, Ledger, Part, Progress, Segment, Task, Vault, Workers

GROUP_SEGMENTS = 64
"""Segments that are published together: one wait for the disk instead of 64."""

GROUP_BYTES = 64 << 20
"""Bytes of segments after which a group is published, however few: what a kill may cost."""


class Taken(NamedTuple):
    """What one segment held."""

    segment: Segment
    line_count: int
    counts: list[Count]
    reasons: Counter[str]


class InProcess:
    """The workers of a small installation: this process, one block after the other."""

    def __init__(self, lake: Lake, vault: Vault) -> None:
        """Where blocks go, and who knows the keys."""
        self._lake = lake
        self._vault = vault

    def work(self, tasks: Iterable[Task], directory: Directory, size_bytes: int) -> Iterator[Part]:
        """The port `core.ports.Workers`."""
        keyring = Keyring(self._vault)
        for task in tasks:
            yield take_block(task, directory, self._lake, keyring)


class _Done(NamedTuple):
    """A segment of which all blocks are taken in, and nothing is visible yet."""

    taken: Taken
    held: list[Held]
    files: list[str]


class Tools(NamedTuple):
    """With what segments are taken in."""

    inbox: Inbox
    lake: Lake
    ledger: Ledger
    workers: Workers
    progress: Progress


def take_in(segments: Sequence[Segment], tools: Tools, directory: Directory) -> tuple[list[Taken], list[tuple[Segment, Tripped]]]:
    """Segments into lake and quarantine, then aside; and those of which nothing is taken in, since too much is broken, with what it is.

    Of each, nothing is visible before all of it is written, its files are safe on disk before the ledger knows it, and it leaves the inbox
    after that: a kill at any moment is put right by the next run, which writes the same files.
    """
    found: list[Taken] = []
    tripped: list[tuple[Segment, Tripped]] = []
    group: list[_Done] = []
    tools.lake.discard()  # what a killed run left
    try:
        for done in tools.progress.over("segments", _done(segments, tools, directory), len(segments)):
            verdicts = judge(done.taken.counts, done.held)
            if verdicts and not tools.ledger.is_released(done.taken.segment.segment_id):
                tripped.append((done.taken.segment, Tripped(verdicts)))
                continue
            group.append(done)
            if len(group) >= GROUP_SEGMENTS or sum(each.taken.segment.size_bytes for each in group) >= GROUP_BYTES:
                found += _settle(group, tools)
                group = []
        found += _settle(group, tools)
    finally:
        tools.lake.discard()
    return found, tripped


def _done(segments: Sequence[Segment], tools: Tools, directory: Directory) -> Iterator[_Done]:
    """Segments as their last block is taken in."""
    asked: deque[tuple[Segment, bool]] = deque()

    def tasks() -> Iterator[Task]:
        for segment in segments:
            tools.lake.stage(segment.segment_id)
            for part, (block, is_last) in enumerate(_until_last(_readable(segment, tools.inbox))):
                asked.append((segment, is_last))
                yield Task(segment.segment_id, part, block)

    parts: list[Part] = []
    for part in tools.workers.work(tasks(), directory, sum(each.size_bytes for each in segments)):
        segment, is_last = asked.popleft()
        parts.append(part)
        if is_last:
            if segment.path.name not in tools.inbox.passed_over():
                yield _sum(segment, parts)
            parts = []


def _readable(segment: Segment, inbox: Inbox) -> Iterator[Block]:
    """Its blocks; one that cannot be read to its end, or was taken away since it was found, is passed over as a whole."""
    try:
        yield from inbox.blocks(segment)
    except OSError as error:
        inbox.pass_over(segment.path.name, error)


def _until_last(blocks: Iterable[Block]) -> Iterator[tuple[Block, bool]]:
    """Each block, and whether it is the last; of nothing, one without a line."""
    before: Block | None = None
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    yield before or Block(1, b""), True


def _sum(segment: Segment, parts: Iterable[Part]) -> _Done:
    counts: dict[tuple[str, str], Count] = {}
    reasons: Counter[str] = Counter()
    held: list[Held] = []
    files: list[str] = []
    lines = 0
    for part in parts:
        lines += part.line_count
        reasons.update(part.reasons)
        held += part.held
        files += part.files
        for each in part.counts:
            key = (each.tenant_id, each.source)
            so_far = counts.get(key, Count(*key, 0, 0, 0))
            numbers = (before + more for before, more in zip(so_far[2:], each[2:], strict=True))
            counts[key] = Count(*key, *numbers)
    return _Done(Taken(segment, lines, [counts[key] for key in sorted(counts)], reasons), held, files)


def _settle(group: Sequence[_Done], tools: Tools) -> list[Taken]:
    """Publish, write down, put aside, in this order."""
    tools.lake.publish({done.taken.segment.segment_id: done.files for done in group})
    for done in group:
        taken = done.taken
        tools.ledger.record(taken.segment, taken.line_count, "", taken.counts, done.held)
        tools.inbox.settle(taken.segment)
    return [done.taken for done in group]
