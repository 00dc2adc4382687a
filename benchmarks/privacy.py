"""What erasing a person costs as events grow, and how quickly the verifier reads.

Two homes whose lakes differ by ten in events, with as many people in the vault as there are leads, and the same raw segments. The
reference of the first claim is the smaller home. That of the second is reading the same files with SHA-256, which every verifier must
outdo by nothing but what it searches for.
`python -m benchmarks.privacy [--events 1000000] [--people 3] --json`
"""

import argparse
import dataclasses
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from benchmarks._claim import Claim
from benchmarks._planet import EVENTS_A_LEAD, Planet
from core.events import Point
from core.sealing import seal
from orchestration.gdpr_command import execution_of
from orchestration.resources.clock import FixedClock
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings
from orchestration.resources.tenants import apply_file
from orchestration.simulator import simulate

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAYS = 30
TARGET = 2.0
READ_TARGET = 0.1


@dataclasses.dataclass
class Cost:
    """Of one run: seconds of the steps, of the verification, bytes that it read."""

    steps: float
    verification: float
    bytes: int
    by_step: dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the smaller home; the other has ten times as many")
    parser.add_argument("--people", type=int, default=3, help="erased one by one; the median counts")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    for claim in measure(options.events, options.people):
        print(claim.report(), flush=True)


def measure(events: int, people: int) -> Iterator[Claim]:
    """Both claims."""
    costs = []
    for size in (events, 10 * events):
        with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as name:
            costs.append(_erase(Path(name), size, people))
            if size == events:
                hashed = _hashed(Path(name) / "home")
    one, ten = costs
    told = f"{events:,} and {10 * events:,} events, load {os.getloadavg()[0]:.1f}; steps {_shown(one)} and {_shown(ten)}"
    yield Claim("erasing a person, verification apart", ten.steps, "s", "the same of a tenth of the events", one.steps, TARGET, told)
    rate = one.bytes / one.verification / 1e6
    told = f"{one.bytes / 1e6:,.0f} MB in {one.verification:.1f} s, load {os.getloadavg()[0]:.1f}"
    yield Claim("verifier", rate, "MB/s", "SHA-256 of the same files", hashed, READ_TARGET, told, is_floor=True)


def _shown(cost: Cost) -> str:
    return ", ".join(f"{step} {seconds:.2f}" for step, seconds in cost.by_step.items() if seconds >= 0.05)


def _erase(folder: Path, events: int, people: int) -> Cost:
    """A home with so many events, of which some people are erased; the median."""
    traffic = folder / "traffic"
    simulate(traffic, tenants=1, leads=200, days=7, seed=3, end_at=AT, receiver_url=None)
    settings = Settings.load(folder / "home", {})
    settings.make_folders()
    planet = Planet(folder / "planet", events, DAYS)
    shutil.rmtree(settings.lake)
    shutil.move(planet.lake, settings.lake)
    for path in planet.reference.glob("*.parquet"):
        shutil.copy(path, settings.reference / path.name)
    with open_platform(settings, FixedClock(AT), TerminalProgress(quiet=True)) as platform:
        apply_file(traffic / "tenants.yaml", platform.state, platform.vault, AT, {})
        settings.inbox.joinpath("done").mkdir(exist_ok=True)
        for path in (traffic / "inbox").iterdir():
            path.rename(settings.inbox / "done" / path.name)
        leads = _leads(settings.reference, people)
        _fill(platform, int(events / EVENTS_A_LEAD), leads)
        platform.lake.prepare()
        found = sorted((_run(platform, lead) for lead in leads), key=lambda each: each.steps)
    return found[len(found) // 2]


def _leads(reference: Path, people: int) -> list[tuple[str, str, str]]:
    """Tenant, lead and point of some."""
    with duckdb.connect() as database:
        query = f"select tenant_id, lead_id, point_id from '{reference}/lead_points.parquet' order by point_id limit {people}"
        return database.execute(query).fetchall()


def _fill(platform: Platform, points: int, leads: list[tuple[str, str, str]]) -> None:
    """The vault: random rows of the true size for all, true ones for those that are erased; and who approves."""
    master = platform.settings.master_key()
    with platform.state.psycopg() as connection:
        connection.execute(
            "insert into vault.points (tenant_id, point_id, kind, lookup, value_enc, key_wrapped) select 'tenant_0', 'cp_x' || n, 'phone', "
            "sha256(n::text::bytea), sha256(('v' || n)::bytea) || '\\x000102030405060708', "
            "sha256(('k' || n)::bytea) || '\\x0001020304050607' from generate_series(1, %s) as n",
            (points,),
        )
        for number, (tenant_id, lead_id, point_id) in enumerate(leads):
            key = os.urandom(32)
            value = Point("phone", f"+91987650{number:04d}")
            connection.execute(
                "insert into vault.points (tenant_id, point_id, kind, lookup, value_enc, key_wrapped) values (%s, %s, 'phone', %s, %s, %s)",
                (tenant_id, point_id, os.urandom(32), seal(key, value.value.encode(), point_id.encode()), aes_key_wrap(master, key)),
            )
            for person, role in (("a", "operator"), ("b", "manager")):
                connection.execute(
                    "insert into ops.reference values (%s, 'people', %s, '2026-01-01', null, jsonb_build_object('person_id', %s::text, "
                    "'role', %s::text)) on conflict do nothing",
                    (tenant_id, person, person, role),
                )
            connection.execute(
                "insert into ops.privacy_requests (request_id, tenant_id, kind, origin, lead_id, point_ids, requested_by, requested_at, "
                "due_at) values (%s, %s, 'erasure', 'command', %s, %s, 'a', %s, %s + interval '30 days')",
                (f"pr_{point_id}", tenant_id, lead_id, [point_id], AT, AT),
            )
        connection.execute("update ops.privacy_requests set state = 'verified', verified_by = 'a', verified_at = %s", (AT,))
        connection.execute("update ops.privacy_requests set state = 'approved', decided_by = 'b', decided_at = %s", (AT,))


def _run(platform: Platform, lead: tuple[str, str, str]) -> Cost:
    """One erasure, step by step."""
    moments: dict[str, float] = {}
    by_step: dict[str, float] = {}

    def watch(step: str, moment: str) -> None:
        now = time.perf_counter()
        if moment == "begun":
            moments[step] = now
        elif moment == "made" and step != "verify":
            by_step[step] = now - moments[step]

    execution = dataclasses.replace(execution_of(platform), watch=watch)
    started = time.perf_counter()
    done = execution.run([f"pr_{lead[2]}"], "a")[0]
    ended = time.perf_counter()
    if done.state != "closed":
        raise RuntimeError(f"the erasure is {done.state}: {done.message} {list(done.places)[:3]}")
    read = platform.state
    with read.psycopg() as connection:
        row = connection.execute(
            "select (body::json ->> 'searched_bytes')::bigint, (body::json ->> 'seconds')::float from ops.privacy_certificates "
            "where request_id = %s",
            (f"pr_{lead[2]}",),
        ).fetchone()
    size, seconds = row or (0, ended - moments["verify"])
    return Cost(moments["verify"] - started, seconds, size, by_step)


def _hashed(home: Path) -> float:
    """MB/s at which every file of a home goes through SHA-256."""
    started, size = time.perf_counter(), 0
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")
                size += file.tell()
    return size / (time.perf_counter() - started) / 1e6


if __name__ == "__main__":
    main()
