"""The whole search: files, tables, one report.

Here belongs its order, and what it says. Not here: signing it (`certificate`).
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from orchestration.verifier import handed_on
from orchestration.verifier.claims import Claim, doubts
from orchestration.verifier.needles import Sought, needles
from orchestration.verifier.sealed import of_lake, of_quarantine, of_warehouse
from orchestration.verifier.search import Hit, Search
from orchestration.verifier.servers import Tables
from orchestration.verifier.stores import Files


class Target(NamedTuple):
    """What is searched. `urls`: libpq addresses by name, `state` the first. `keys`: each tenant's own, for what lies under it.

    `since`: lines of the inbox that were received from then on are later news and no hit.
    """

    home: Path
    urls: dict[str, str]
    is_server_local: bool
    keys: Mapping[str, bytes] = {}
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


def verify(
    target: Target, sought: Iterable[Sought], claims: Sequence[Claim] = (), tick: Callable[[int], None] = lambda _bytes: None
) -> Report:
    """Search everything for everybody, and ask what must be true of each. `tick` is told how many bytes were read so far."""
    started = time.monotonic()
    wanted = needles(sought)
    search = Search(wanted)
    tables = Tables(target.urls, search.longest)
    files = Files(target.home, search.longest, target.since)
    unsettled = tables.settle()
    state = target.urls["state"]
    copies = (of_warehouse(url, target.keys) for name, url in target.urls.items() if name != "state")
    for source in (tables.pieces(), of_quarantine(state, target.keys), of_lake(target.home, target.keys), *copies, files.pieces()):
        for piece in source:
            search.add(piece)
            tick(search.bytes)
    search.flush()
    hits = dict(search.hits)
    left = handed_on.numbers(target.home / "reference", claims)
    for hit, count in (*doubts(state, claims), *handed_on.of_lake(target.home, left), *handed_on.of_databases(target.urls, left)):
        hits[hit] = hits.get(hit, 0) + count
    missing = [f"{each.place}: {each.why}" for each in files.unread]
    if unsettled:
        missing.append(f"what the server holds in memory alone: {unsettled}")
    if not target.is_server_local:
        missing.append("files and log of the database server: they lie elsewhere; its tables were read through SQL")
    forms: dict[str, int] = {}
    for each in wanted:
        forms[each.form] = forms.get(each.form, 0) + 1
    return Report(hits, dict(search.later), forms, tables.counts | files.counts, missing, search.bytes, time.monotonic() - started)
