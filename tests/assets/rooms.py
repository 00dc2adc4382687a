"""A home with tenants and their traffic, and rooms in which it is taken in: what the tests of intake share.

Not here: what must be true.
"""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from assets import checks
from assets.ingest import take_in_all
from assets.intake import Taken
from core.events import EVENT_TYPES
from core.ports import Progress, Workers
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.platform import Platform
from orchestration.resources.warehouse import Warehouse
from orchestration.simulator import Manifest

END = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
NO_ROWS = "delete from ops.segments; delete from ops.segment_counts; delete from ops.quarantine"


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Simulated traffic: all of its lines, and what is true of them."""

    truth: Manifest
    lines: list[bytes]


class Room:
    """An inbox, a lake and a warehouse of their own over the shared state."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        self.folder, self.platform = folder, platform
        self.inbox, self.lake = FolderInbox(folder / "inbox"), FolderLake(folder / "lake")
        self.warehouse = Warehouse(folder / "warehouse.duckdb", folder / "lake", platform.settings.reference)
        self.inbox.folder.mkdir(parents=True)
        self.lake.prepare()

    def drop(self, name: str, lines: list[bytes], pack: Callable[[bytes], bytes] = bytes) -> None:
        (self.inbox.folder / name).write_bytes(pack(b"".join(line + b"\n" for line in lines)))

    def drop_all(self, lines: list[bytes], segments: int = 3) -> None:
        for n in range(segments):
            self.drop(f"{n}.ndjson", lines[n::segments])

    def take(self, workers: Workers | None = None, progress: Progress | None = None) -> tuple[list[Taken], int]:
        platform = self.platform
        return take_in_all(self.inbox, self.lake, platform.ledger, platform.vault, progress or platform.progress, workers)

    def put_back(self) -> None:
        """As if nothing had been taken in, the lake aside."""
        self.forget()
        for path in self.inbox.done.iterdir():
            path.rename(self.inbox.folder / path.name)

    def forget(self) -> None:
        with self.platform.state.begin() as connection:
            connection.exec_driver_sql(NO_ROWS)

    def paths(self) -> list[Path]:
        return [path for path in sorted(self.lake.folder.rglob("*")) if path.is_file() and path.name != "schema.parquet"]

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.lake.folder)): path.read_bytes() for path in self.paths()}

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table as text, without the segment that it came in."""
        with duckdb.connect() as connection:
            return {
                each.table: sorted(
                    str(row)
                    for row in connection.sql(
                        f"select * exclude (segment_id) from read_parquet('{self.lake.folder}/{each.table}/*/*.parquet', hive_partitioning = false)"
                    ).fetchall()
                )
                for each in EVENT_TYPES
            }

    def check(self) -> bool:
        """The verdict of the conservation check."""
        function = checks.conservation.node_def.compute_fn.decorated_fn  # type: ignore[attr-defined]  # called without an instance of Dagster
        return bool(function(self.warehouse, self.platform.ledger, None).passed)

    def held(self) -> list[tuple[Any, ...]]:
        """Line, item, reason, place and tenant of the quarantine."""
        with self.platform.state.begin() as connection:
            query = "select line, item, reason, place, tenant_id, source, account_id from ops.quarantine order by segment_id, line, item"
            return [tuple(row) for row in connection.exec_driver_sql(query)]
