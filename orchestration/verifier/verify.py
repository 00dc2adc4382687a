"""The whole search: files, tables, one report.

Here belongs its order, and what it says. Not here: signing it (`certificate`).
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from orchestration.verifier.needles import Sought, needles
from orchestration.verifier.search import Hit, Search
from orchestration.verifier.servers import Tables
from orchestration.verifier.stores import Files


class Target(NamedTuple):
    """What is searched. `since`: lines of the inbox that were received from then on are later news and no hit."""

    home: Path
    urls: dict[str, str]
    is_server_local: bool
    since: datetime | None = None


class Report(NamedTuple):
    """What was searched and found. `stores`: (things, bytes) by store; `bytes` counts what was read, unpacked too."""

    hits: dict[Hit, int]
    later: dict[str, int]
    forms: dict[str, int]
    stores: dict[str, tuple[int, int]]
    not_covered: list[str]
    bytes: int
    seconds: float

    def of(self, owner: str) -> dict[Hit, int]:
        """Hits of one owner."""
        return {hit: count for hit, count in self.hits.items() if hit.owner == owner}


def verify(target: Target, sought: Iterable[Sought], tick: Callable[[int], None] = lambda _bytes: None) -> Report:
    """Search everything for everybody. `tick` is told how many bytes were read so far."""
    started = time.monotonic()
    wanted = needles(sought)
    search = Search(wanted)
    tables = Tables(target.urls, search.longest)
    files = Files(target.home, search.longest, target.since)
    unsettled = tables.settle()
    for source in (tables.pieces(), files.pieces()):
        for piece in source:
            search.add(piece)
            tick(search.bytes)
    search.flush()
    missing = [f"{each.place}: {each.why}" for each in files.unread]
    if unsettled:
        missing.append(f"what the server holds in memory alone: {unsettled}")
    if not target.is_server_local:
        missing.append("files and log of the database server: they lie elsewhere; its tables were read through SQL")
    forms: dict[str, int] = {}
    for each in wanted:
        forms[each.form] = forms.get(each.form, 0) + 1
    return Report(
        dict(search.hits), dict(search.later), forms, tables.counts | files.counts, missing, search.bytes, time.monotonic() - started
    )
