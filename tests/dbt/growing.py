"""An installation's lake and warehouse that grow from build to build: events as they arrive, holders and policies as they change.

Here belongs writing files as the platform does (a file a batch and event date, reference files replaced) and building by its own parts. Not
here: what happens (`histories`), what is compared (`test_increments`).
"""

import atexit
import hashlib
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from assets.brief_builds import brief_selection
from assets.project import MANIFEST
from core.events import EVENT_TYPES
from core.reference import REFERENCE_TYPES
from core.warehouse_ports import Begun
from orchestration.resources.dbt import DbtRunner, ensure_manifest
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import warehouse_of
from orchestration.resources.fingerprint import fingerprint, lines
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.warehouse import EngineWarehouse, WarehouseBusyError
from tests.dbt.engines import MODELS_ONLY, WITHOUT_UNIT_TESTS
from tests.dbt.histories import History
from tests.dbt.warehouse import tables

_LAID_OUT = timedelta(days=62)
NOWHERE = "postgresql://nowhere/none"


@dataclass
class Growing:
    """One home; `settings` says on which engine."""

    settings: Settings
    warehouse: EngineWarehouse
    dbt: DbtRunner
    batches: int = 0
    reference: dict[str, list[Any]] = field(default_factory=dict)

    def tell(self, rows: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """A segment: one file a table and event date, and beside those of messages what these say."""
        self.batches += 1
        stem = hashlib.md5(f"{self.batches}".encode(), usedforsecurity=False).hexdigest()
        for event in EVENT_TYPES:
            days: dict[str, list[dict[str, Any]]] = {}
            for row in rows.get(event.table, ()):
                days.setdefault(f"{row['occurred_at']:%Y-%m-%d}", []).append(row | {"segment_id": stem * 2})
            for day, each in days.items():
                path = self.settings.lake / event.table / f"event_date={day}" / f"{stem}-00000.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(tables({event.table: each})["lake", event.table], path)
                if event.table == "messages":
                    self._read(each, self.settings.reference / "signals" / path.relative_to(path.parents[1]))

    def _read(self, messages: Sequence[dict[str, Any]], path: Path) -> None:
        """Keep what these tellings say, in the file of that name, as the platform does; the history knows it by event."""
        said = {(each.tenant_id, each.event_id): each for each in reversed(self.reference.get("message_signals", ()))}
        rows = []
        for row in messages:
            if signal := said.get((row["tenant_id"], row["event_id"])):
                names = ("contact_point_id", "source", "account_id", "body_hash", "occurred_at", "received_at")
                rows.append(msgspec.structs.replace(signal, **{name: row[name] for name in names}))
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(tables({"message_signals": rows})["reference", "message_signals"], path)

    def refer(self, as_of: datetime) -> None:
        """Replace the reference files, for a build of that moment."""
        rows = self.reference | {"run": [{"as_of": as_of}]}
        held = {row.lead_id for row in rows["lead_points"] if row.valid_from <= as_of}
        rows |= {name: [row for row in rows.get(name, ()) if row.lead_id in held] for name in ("lead_aliases", "lead_links")}
        laid_out = [row for row in rows["business_intervals"] if row.closed_at <= as_of + _LAID_OUT]
        written = tables({name: each for name, each in rows.items() if each} | {"business_intervals": laid_out})
        for struct in REFERENCE_TYPES:
            table: str = struct.table  # type: ignore[attr-defined]
            draft = self.settings.reference / f".{table}"
            pq.write_table(written["reference", table], draft)
            draft.replace(self.settings.reference / f"{table}.parquet")

    def wait_until_free(self) -> None:
        """Until the worker of a process that died has let go of the warehouse, which it does when its input ends."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.warehouse.names()
                return
            except WarehouseBusyError:
                time.sleep(0.1)
        raise AssertionError("the dead builder's worker still holds the warehouse")

    def build(self, as_of: datetime, *, rebuild: bool = False, tests: bool = False, brief: bool = False) -> Begun:
        """A whole build of that moment; or a brief one, of all tables, for which somebody would wait."""
        self.refer(as_of)
        begun = self.warehouse.begin(rebuild=rebuild, brief=brief)
        selected = brief_selection(json.loads(MANIFEST.read_bytes()), is_steady=begun.is_steady) if begun.is_brief else []
        for _ in self.dbt.build([*(WITHOUT_UNIT_TESTS if tests else MODELS_ONLY), *selected]):
            pass
        self.warehouse.end(begun)
        return begun

    def marts(self) -> dict[str, list[str]]:
        """All rows of all marts, each as a line of text, in order."""
        return {name: lines(table) for name, table in self.warehouse.read(self.warehouse.names()).items()}

    def fingerprints(self) -> dict[str, Any]:
        """Checksums of all marts."""
        return {name: fingerprint(table) for name, table in self.warehouse.read(self.warehouse.names()).items()}


@contextmanager
def growing(engine: str, made: History) -> Iterator[Growing]:
    """A home with the history's reference rows and no events; a process has one at a time, so that dbt is imported once."""
    if engine != "duckdb":
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flexoraa-grow-"))) / "home"
            url = stack.enter_context(open_state(_settings(home, engine))).libpq_url if engine == "postgres" else NOWHERE
            yield _with_rows(_settings(home, engine), url, stack.enter_context(closing(_runner(_settings(home, engine), url))), made)
        return
    if _IN_USE:
        raise RuntimeError("two growing homes at once: their builds would mix")
    settings, dbt = _place()
    for left in (settings.lake, settings.reference):
        shutil.rmtree(left)
    for left in settings.warehouse.parent.glob(f"{settings.warehouse.name}*"):
        left.unlink()
    settings.make_folders()
    _IN_USE.append(settings.home)
    try:
        yield _with_rows(settings, NOWHERE, dbt, made)
    finally:
        _IN_USE.clear()


_IN_USE: list[Path] = []


@cache
def _place() -> tuple[Settings, DbtRunner]:
    folder = tempfile.TemporaryDirectory(prefix="flexoraa-grow-")
    settings = _settings(Path(folder.name) / "home", "duckdb")
    runner = _runner(settings, NOWHERE)
    atexit.register(folder.cleanup)
    atexit.register(runner.close)  # before the folder goes
    return settings, runner


def _settings(home: Path, engine: str) -> Settings:
    settings = Settings.load(home, {}, engine=engine)
    settings.make_folders()
    return settings


def _runner(settings: Settings, url: str) -> DbtRunner:
    ensure_manifest()
    return DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, url))


def _with_rows(settings: Settings, url: str, dbt: DbtRunner, made: History) -> Growing:
    return Growing(settings, warehouse_of(settings, url), dbt, reference={name: list(rows) for name, rows in made.reference.items()})


def arrivals(made: History, rng: random.Random) -> list[tuple[datetime, str, dict[str, Any]]]:
    """Every event with the moment at which it arrives: most at once, some days later; some told twice, some of these by another point's name."""
    found = []
    for table, rows in made.lake.items():
        points = sorted({(row["tenant_id"], row["contact_point_id"]) for row in rows if row.get("contact_point_id")})
        for row in rows:
            tellings = [row]
            if rng.random() < 0.1:
                other = row | {"source": "whatsapp", "body_hash": "told again"}
                if row.get("contact_point_id") and rng.random() < 0.3:
                    same_tenant = [point for tenant, point in points if tenant == row["tenant_id"]]
                    other |= {"contact_point_id": rng.choice(same_tenant)}
                tellings.append(other)
            for telling in tellings:
                chance = rng.random()
                late = timedelta(0) if chance < 0.7 else timedelta(days=rng.random() * (1 if chance < 0.85 else 7 if chance < 0.98 else 20))
                found.append((row["occurred_at"] + late, table, telling | {"received_at": row["occurred_at"] + late}))
    return sorted(found, key=lambda each: each[0])


def merged(growing: Growing, rng: random.Random) -> tuple[str, list[Any]]:
    """Two leads of a tenant become one; returns what there was before, to be put back when it is revoked."""
    before = list(growing.reference["lead_points"])
    tenant = rng.choice(sorted({row.tenant_id for row in before}))
    one, other = rng.sample(sorted({row.lead_id for row in before if row.tenant_id == tenant}), 2)
    growing.reference["lead_points"] = [
        msgspec.structs.replace(row, lead_id=one) if (row.tenant_id, row.lead_id) == (tenant, other) else row for row in before
    ]
    return f"{one} and {other}", before
