"""Takes in what lies in a home's inbox, as the asset `lake` does, and prints what it took: one run of `benchmarks.ingest`.

A process of its own, so that its memory is its own. Argument: the home. What an earlier run left is forgotten first, also the vault's
contacts.
"""

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path

from assets.ingest import take_in_all
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings

_FORGET = "delete from ops.segments; delete from ops.segment_counts; delete from ops.quarantine; delete from vault.points"


def main() -> None:
    """Forget, take in, print."""
    with open_platform(Settings.load(Path(sys.argv[1]), {})) as platform:
        _forget(platform)
        platform.lake.prepare()
        before = _cpu_seconds()
        started = time.perf_counter()
        taken, _ = take_in_all(platform.inbox, platform.lake, platform.ledger, platform.vault, platform.progress, platform.workers)
        seconds = time.perf_counter() - started
        cpu = _cpu_seconds() - before
    workers = len(os.sched_getaffinity(0))
    mine, largest_child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": cpu,
                "lines": sum(each.line_count for each in taken),
                "accepted": sum(count.accepted for each in taken for count in each.counts),
                "rejected": sum(count.rejected for each in taken for count in each.counts),
                "peak_rss_mb": round(mine + workers * largest_child),  # at most: the largest a worker was, for each of them
            }
        )
    )


def _forget(platform: Platform) -> None:
    with platform.state.owner() as connection:
        connection.execute(_FORGET)
    shutil.rmtree(platform.settings.lake, ignore_errors=True)
    for path in platform.inbox.done.glob("*"):
        path.rename(platform.inbox.folder / path.name)


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended; PostgreSQL's not."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
