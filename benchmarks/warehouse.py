"""What building the warehouse costs: all of 1 M and 10 M events, one day more, the other engines, and the least that reading must cost.

Cost is processor time of the dbt worker and of finding what is touched, start-up apart: other work on the machine stretches wall time, so
that is told beside it. Start-up is a build of nothing, or of a day more on nothing: dbt's import, parsing and its 900 small statements. The
limit is DuckDB reading each column of the lake that models read, once. Peak memory is that of the worker.
`python -m benchmarks.warehouse [--sizes 1000000,10000000] [--days 180] [--engines duckdb,postgres] [--with-tests] --json`
"""

import argparse
import math
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks._claim import Claim
from benchmarks._planet import Planet
from core.events import EVENT_TYPES
from orchestration.resources.dbt import DbtRunner, ensure_manifest
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import require, warehouse_of
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_views import lake_query
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state

_UNREAD = {"text_enc", "fragment_enc", "reason_enc", "answers_enc", "name_enc", "segment_id", "schema_version"}
"""Columns that no model reads."""

LIMIT_TARGET = 60.0
"""Times the limit: the cost of windows, joins and 60 tables written, over one reading."""


class Cost(NamedTuple):
    """Processor seconds, wall seconds, peak memory of the worker in MB, and whether everything was made anew."""

    cpu: float
    wall: float
    peak_mb: float
    is_anew: bool


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000000,10000000", help="events of the lakes, with commas between")
    parser.add_argument("--days", type=int, default=180, help="days over which they lie")
    parser.add_argument("--engines", default="duckdb,postgres", help="duckdb, and which others at the first size: postgres, spark")
    parser.add_argument("--with-tests", action="store_true", help="run dbt's data tests in each build, as `flexoraa run` does")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    ensure_manifest()
    sizes = [int(float(size)) for size in options.sizes.split(",")]
    for claim in measure(sizes, options.days, options.engines.split(","), with_tests=options.with_tests):
        print(claim.report(), flush=True)


def measure(sizes: list[int], days: int, engines: list[str], *, with_tests: bool) -> Iterator[Claim]:
    """Each size, then what it takes two of them to say."""
    full: list[tuple[int, Cost]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
            planet = Planet(Path(folder), size, days)
            nothing, nothing_more = start_up(Path(folder), with_tests=with_tests)
            whole = build(Path(folder) / "duckdb", planet, "duckdb", with_tests=with_tests)
            cost = whole.cpu - nothing.cpu
            full.append((planet.events, Cost(cost, whole.wall, whole.peak_mb, True)))
            told = f"{planet.events} events, {days} days, wall {whole.wall:.0f} s, start-up {nothing.cpu:.1f} s, {_load()}"
            yield Claim("full build", cost, "processor s", "DuckDB reads the columns once", _limit(planet), LIMIT_TARGET, told)
            yield Claim("peak memory of a full build", whole.peak_mb, "MB", "6 GB", 6144, 1.0, told)
            for engine in engines:
                if engine != "duckdb" and size == sizes[0]:
                    other = build(Path(folder) / engine, planet, engine, with_tests=with_tests)
                    yield Claim(
                        f"full build on {engine}", other.wall, "s", "duckdb", whole.wall, 20.0, f"{told}; wall times, start-up included"
                    )
            more = planet.tomorrow()
            day = build(Path(folder) / "duckdb", planet, "duckdb", with_tests=with_tests)
            if day.is_anew:
                raise SystemExit("the build of one day more made everything anew")
            walls = f"wall {day.wall:.0f} s of {whole.wall:.0f} s"
            told = f"{more} events more on {planet.events}, {walls}, start-up {nothing_more.cpu:.1f} s, {_load()}"
            yield Claim("one day more", max(day.cpu - nothing_more.cpu, 0.0), "processor s", "full build", cost, 0.05, told)
    for (events, cost), (more_events, more_cost) in pairwise(full):
        exponent = math.log(more_cost.cpu / cost.cpu) / math.log(more_events / events)
        yield Claim("cost exponent of full builds", exponent, "", "linear", 1.0, 1.05, f"{events} to {more_events} events")


def start_up(folder: Path, *, with_tests: bool) -> tuple[Cost, Cost]:
    """What builds of nothing cost: one that makes everything, and one that continues it by a day."""
    planet = Planet(folder / "none", 100, 3)
    whole = build(folder / "nothing", planet, "duckdb", with_tests=with_tests)
    planet.tomorrow()
    return whole, build(folder / "nothing", planet, "duckdb", with_tests=with_tests)


def build(home: Path, planet: Planet, engine: str, *, with_tests: bool) -> Cost:
    """One build over the planet's lake, in a worker of its own."""
    settings = Settings.load(home, {}, engine=engine)
    require(settings)
    settings.make_folders()
    for name, target in (("lake", planet.lake), ("reference", planet.reference)):
        if not (home / name).is_symlink():
            (home / name).rmdir()
            (home / name).symlink_to(target)
    with ExitStack() as stack:
        url = stack.enter_context(open_state(settings)).libpq_url if engine == "postgres" else "postgresql://nowhere/none"
        before, own, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time(), time.perf_counter()
        dbt = DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, url))
        warehouse, peak = warehouse_of(settings, url), 0.0
        begun = warehouse.begin()
        without = () if with_tests else ("--exclude-resource-type", "test")
        for _ in dbt.build(["--exclude-resource-type", "unit_test", *without]):
            peak = max(peak, _peak_mb(dbt))
        warehouse.end(begun)
        wall = time.perf_counter() - started
        dbt.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + time.process_time() - own
    return Cost(cpu, wall, peak, bool(begun.why))


def _peak_mb(dbt: DbtRunner) -> float:
    """The most memory that the worker has had so far, by Linux' own count."""
    worker = dbt._worker
    status = Path(f"/proc/{worker.pid if worker else os.getpid()}/status").read_text(encoding="ascii", errors="replace")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _limit(planet: Planet) -> float:
    """Processor seconds that DuckDB needs to read every column that models read, once."""
    started = time.process_time()
    with duckdb.connect() as connection:
        for event in EVENT_TYPES:
            query = lake_query(LakeFiles(planet.lake), event)
            names = [name for name, *_ in connection.execute(f"describe {query}").fetchall() if name not in _UNREAD]
            counted = ", ".join(f'max("{name}")' for name in names)
            connection.execute(f"select {counted} from ({query})").fetchall()
    return time.process_time() - started


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
