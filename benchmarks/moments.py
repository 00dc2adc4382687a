"""What moments of an experiment cost in DuckDB, from 10 M exposures with their values, over reading the same columns once.

Claims: the models from first exposures to moments (`int_experiment_units__exposed`, `int_experiment_values__moved`, `exp_moments`) over
one reading of `int_experiment_events__identified`, and over DuckDB's bare grouping of the same exposures by unit, which is the least that
finding first exposures must cost; and the last model, which makes moments of the units' values, over one reading of those. Times are those
that dbt tells of each model, one model at a time. `python -m benchmarks.moments [--size 10000000] --json`
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from msgspec import Struct

from benchmarks._claim import Claim
from benchmarks._planet import START, _table
from core.reference import REFERENCE_TYPES, Experiment, ExperimentMetric, Run, Tenant
from orchestration.resources.dbt import DbtRunner, ensure_manifest
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.settings import Settings

_DAYS = 30
_TENANTS = 20
_MODELS = ("int_experiment_units__exposed", "int_experiment_values__moved", "exp_moments")
_EVENTS = """
create schema intermediate; create schema reference;
create table intermediate.int_experiment_events__identified as
select 'tenant_' || i % {tenants} as tenant_id, md5('e' || i) as event_id, 'lead_' || i as lead_id, null::varchar as conversation_id,
    'e1' as experiment_id, '@exposed' as event, case when hash(i) % 2 = 0 then 'a' else 'b' end as variant, 'phone' as point_kind,
    0.0::double as value, true as is_in_range, timestamptz '{start}' + to_microseconds((hash(i, 1) % {span})::bigint) as occurred_at
from range({size}) as t (i)
union all
select 'tenant_' || i % {tenants}, md5('o' || i), 'lead_' || i, null, null, 'reply', null, 'phone', 1.0, true,
    timestamptz '{start}' + to_microseconds((hash(i, 1) % {span})::bigint + 3600000000)
from range({size}) as t (i) where hash(i, 2) % 20 = 0
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=lambda text: int(float(text)), default=10_000_000, help="exposures, one a lead")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    ensure_manifest()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        settings = Settings.load(Path(folder), {})
        settings.make_folders()
        _write(settings, options.size)
        spent = _build(settings)
        told = f"{options.size} exposures, {_DAYS} days, {_TENANTS} tenants, load average {os.getloadavg()[0]:.1f}"
        events, values = "intermediate.int_experiment_events__identified", "intermediate.int_experiment_values__moved"
        whole, last = sum(spent.values()), spent[_MODELS[-1]]
        for claim, value, reference, limit in (
            ("moments from exposures", whole, f"DuckDB reads {events} once", _scan(settings.warehouse, events)),
            ("moments from exposures", whole, "DuckDB groups the exposures by unit", _grouping(settings.warehouse, events)),
            ("moments from units' values", last, f"DuckDB reads {values} once", _scan(settings.warehouse, values)),
        ):
            print(Claim(claim, value, "s", reference, limit, 3.0, told).report(), flush=True)


def _write(settings: Settings, size: int) -> None:
    tenants = [f"tenant_{number}" for number in range(_TENANTS)]
    common = {"experiment_id": "e1", "valid_from": START}
    rows: dict[type[Struct], Sequence[Struct]] = {
        Tenant: [Tenant(tenant_id=each, timezone="Asia/Kolkata", default_region="IN", currency="INR") for each in tenants],
        Experiment: [
            Experiment(tenant_id=each, variant=name, is_control=name == "a", allocation_ppm=500_000, primary_metric="reply", **common)
            for each in tenants
            for name in "ab"
        ],
        ExperimentMetric: [
            ExperimentMetric(
                tenant_id=each, metric="reply", role="primary", kind="proportion", event="reply", window_seconds=86400, **common
            )
            for each in tenants
        ],
        Run: [Run(as_of=START + timedelta(days=_DAYS + 2))],
    }
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'; set memory_limit = '4GB'")
        span = _DAYS * 86400 * 1_000_000
        connection.execute(_EVENTS.format(tenants=_TENANTS, start=START.isoformat(), span=span, size=size))
        for struct in REFERENCE_TYPES:
            path = settings.reference / f"{struct.table}.parquet"
            pq.write_table(_table(struct, rows.get(struct, ())), path)
            connection.execute(f"create view reference.{struct.table} as from read_parquet('{path}')")


def _build(settings: Settings) -> dict[str, float]:
    """Seconds of each model."""
    spent = {}
    with closing(DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, None))) as dbt:
        for event in dbt.invoke("run", ["--threads", "1", "--select", "stg_reference__tenants", *_MODELS]):
            data = event["data"]
            if "execution_time" in data and data["node_info"]["node_name"] in _MODELS:
                spent[data["node_info"]["node_name"]] = float(data["execution_time"])
    return spent


def _scan(warehouse: Path, table: str) -> float:
    """Seconds in which DuckDB reads every column of the table, the better of two."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = [name for name, *_ in connection.execute(f"describe {table}").fetchall()]
        seconds: list[float] = []
        for _ in range(2):
            started = time.perf_counter()
            connection.table(table).aggregate(", ".join(f"max({name})" for name in names)).fetchall()
            seconds.append(time.perf_counter() - started)
    return min(seconds)


def _grouping(warehouse: Path, table: str) -> float:
    """Seconds in which DuckDB finds when each unit was first exposed: no variant of it, no version, no second variant, nothing written."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        started = time.perf_counter()
        exposures = connection.table(table).filter("event = '@exposed'")
        firsts = exposures.aggregate("min(occurred_at) as exposed_at, min(variant) as variant", "tenant_id, experiment_id, lead_id")
        firsts.aggregate("max(exposed_at), max(variant)").fetchall()
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
