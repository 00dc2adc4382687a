"""What small files of the lake cost, and what merging them leaves: scans of one table, and a run's own reading.

The limit is one file that DuckDB wrote itself, of the same rows in the same order.
`python -m benchmarks.lake [--files 2000] [--rows 500] [--runs 5] --json`
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from assets.maintenance import compact
from benchmarks._claim import Claim
from core.events import Message
from orchestration.resources.arrow import schema_of
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_views import lake_query, quote
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.warehouse import Warehouse

TENANTS = 20
_CELLS = {
    "tenant_id": f"'tenant_' || hash(i) % {TENANTS}",
    "received_at": "timestamptz '2026-03-01 00:00:00+00' + to_seconds(i % 86400)",
    "schema_version": "1::bigint",
    "segment_id": "sha256((i // {rows})::varchar)",
    "occurred_at": "timestamptz '2026-03-01 00:00:00+00' + to_seconds(hash(i) % 86400)",
    "contact_point_id": "md5('c' || hash(i) % 5000)",
    "text_enc": "encode(repeat(sha256('t' || i), 2))",
    **{name: f"md5('{name}' || i)" for name in ("body_hash", "event_id", "message_id")},
    **{name: f"'{name}'" for name in ("source", "account_id", "channel", "channel_account_id", "direction", "author_type", "message_type")},
}
"""Rows of `messages` as ingestion writes them: random ids, ciphertext of 128 bytes, 20 tenants over a day."""

_ALL = (
    "select tenant_id, count(*), max(occurred_at), count(distinct contact_point_id), sum(octet_length(text_enc)) "
    "from ({}) group by all order by all"
)
_TENANT = "select count(*), max(occurred_at), sum(octet_length(text_enc)) from ({}) where tenant_id = 'tenant_3'"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000, help="small files of one table and date")
    parser.add_argument("--rows", type=int, default=500, help="rows of each")
    parser.add_argument("--runs", type=int, default=5, help="the median of so many counts")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        for claim in measure(Path(folder), options.files, options.rows, options.runs):
            print(claim.report(), flush=True)


def measure(folder: Path, files: int, rows: int, runs: int) -> Iterator[Claim]:
    """Small files, then the same lake merged; scans in turns with the limit."""
    size = f"{files} files × {rows} rows, {TENANTS} tenants, median of {runs}, load average {os.getloadavg()[0]:.1f} before"
    lake = FolderLake(folder / "lake")
    lake.prepare()
    one = _fill(lake, folder / "one.parquet", files, rows)
    warehouse = Warehouse(folder / "warehouse.duckdb", lake.folder, folder)
    duckdb.connect(str(warehouse.path)).close()

    def scan(query: str, of: str) -> Callable[[], object]:
        def run() -> object:
            with duckdb.connect() as connection:
                return connection.execute(query.format(of)).fetchall()

        return run

    def scans(query: str) -> tuple[float, float]:
        return _pairs(scan(query, lake_query(lake.files, Message)), scan(query, one), runs)

    small, _ = scans(_ALL)
    small_counts, small_follow = _median(warehouse.lake_counts, runs), _median(warehouse.follow, runs)
    started = time.perf_counter()
    compact(lake, warehouse, TerminalProgress(quiet=True))
    seconds = time.perf_counter() - started
    for name, query in (("full scan of merged files", _ALL), ("one tenant's scan of merged files", _TENANT)):
        value, limit = scans(query)
        yield Claim(name, value, "s", "one file that DuckDB wrote", limit, 1.2, size)
    value, _ = scans(_ALL)
    yield Claim("full scan of merged files", value, "s", "the small files", small, 0.5, size)
    yield Claim("counting the lake, merged", _median(warehouse.lake_counts, runs), "s", "the small files", small_counts, 1.0, size)
    yield Claim("making the views, merged", _median(warehouse.follow, runs), "s", "the small files", small_follow, 1.0, size)
    copy = _median(scan("copy ({}) to " + quote(folder / "copy.parquet") + " (format parquet, compression zstd)", _sorted(one)), 1)
    yield Claim("merging", seconds, "s", "DuckDB reads, sorts and writes one such file", copy, 3.0, size)


def _fill(lake: FolderLake, path: Path, files: int, rows: int) -> str:
    """The same rows as small files of the lake and as one file of DuckDB's; returns a query of the latter."""
    schema = schema_of(Message)
    cells = ", ".join(f"{_CELLS.get(name, 'null::varchar').replace('{rows}', str(rows))} as {name}" for name in schema.names)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        made: pa.Table = connection.sql(f"select {cells} from range({files * rows}) as t (i)").to_arrow_table().cast(schema)
        place = lake.folder / Message.table / "event_date=2026-03-01"
        place.mkdir()
        for number in range(files):
            small = place / f"{number:032x}-00000.parquet"
            pq.write_table(made.slice(number * rows, rows), small, compression="zstd", compression_level=1)
        connection.execute(f"copy ({_sorted('from made')}) to {quote(path)} (format parquet, compression zstd)")
    return f"select * from read_parquet({quote(path)})"


def _sorted(query: str) -> str:
    return f"select * from ({query}) order by tenant_id, occurred_at, event_id"


def _median(run: Callable[[], object], runs: int) -> float:
    return statistics.median(_seconds(run) for _ in range(runs))


def _pairs(ours: Callable[[], object], limit: Callable[[], object], runs: int) -> tuple[float, float]:
    """Medians of both, in turns, so that what else the machine does falls on both."""
    pairs = [(_seconds(ours), _seconds(limit)) for _ in range(runs)]
    return statistics.median(each for each, _ in pairs), statistics.median(each for _, each in pairs)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
