"""How many raw webhooks a second become encrypted Parquet, in how much memory, and what one more costs where there are many.

Signed WhatsApp messages of about 488 bytes, from the segment in the inbox to the lake, the ledger and the vault, all contacts new: what the
asset `lake` of `flexoraa run` does. Peers read the same webhooks: DuckDB's typed `read_json` and, on fewer, dlt loading into DuckDB, both
without signatures, tenants or keys. `python -m benchmarks.ingest [--size 1000000] [--runs 3] [--large] --json`
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks._claim import ROOT, Claim
from benchmarks._webhooks import Account, write

DLT = "dlt[duckdb]==1.31.0"
TENANTS = 3
LARGE, SMALL = 5_000_000, 500_000
LIMIT_MB = 1_000.0
# bytecode is kept, as where it is installed: without it each worker compiles all that it imports, 1 s of CPU
_NOT_OURS = ("FLEXORAA_", "DAGSTER_", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
_ENV = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000, help="webhooks")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--dlt-size", type=int, default=20_000, help="webhooks that dlt loads; 0 leaves it out")
    parser.add_argument("--large", action="store_true", help=f"memory and cost at {LARGE:,} too: 7 GB on disk, minutes")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        home = Home(Path(folder))
        for claim in rates(home, options.size, options.runs, options.dlt_size):
            print(claim.report(), flush=True)
        for claim in growth(home) if options.large else ():
            print(claim.report(), flush=True)


def rates(home: "Home", size: int, runs: int, dlt_size: int) -> Iterator[Claim]:
    """Webhooks a second, ours and the peers' by turns, so that what else the machine does falls on all."""
    mean = home.write(size)
    ours, same, bare = [], [], []
    for _ in range(runs):
        same.append(size / home.duckdb("segment", size))
        bare.append(size / home.duckdb("bodies", size))
        ours.append(home.take_in(size))
    best = min(ours, key=lambda each: each["seconds"])
    rate, peak = size / best["seconds"], max(each["peak_rss_mb"] for each in ours)
    load = f"load average {os.getloadavg()[0]:.1f}"
    cpu = 1e6 * best["cpu_seconds"] / size
    told = f"{size:,} webhooks of {mean:.0f} bytes, {best['accepted']:,} events, best of {runs}, {cpu:.1f} µs CPU each, {load}"
    name = "raw webhooks to encrypted Parquet"
    yield Claim(name, rate, "1/s", "DuckDB typed read_json of the same file", max(same), 0.5, told, is_floor=True, peak_rss_mb=peak)
    yield Claim(name, rate, "1/s", "DuckDB typed read_json of the bare bodies", max(bare), 0.5, told, is_floor=True, peak_rss_mb=peak)
    if dlt_size:
        home.write(dlt_size)
        yield Claim(
            name,
            rate,
            "1/s",
            f"dlt loading the bare bodies into DuckDB, its rate on {dlt_size:,}",
            dlt_size / home.dlt(),
            50.0,
            told,
            is_floor=True,
            peak_rss_mb=peak,
        )


def growth(home: "Home") -> Iterator[Claim]:
    """Ten times as much: memory stays, and one webhook costs the same."""
    found = {}
    for size in (SMALL, LARGE, SMALL):
        home.write(size)
        taken = home.take_in(size)
        found[size] = min(found.get(size, taken), taken, key=lambda each: each["cpu_seconds"])
    small, large = found[SMALL], found[LARGE]
    told = f"{LARGE:,} webhooks, load average {os.getloadavg()[0]:.1f}"
    peak = large["peak_rss_mb"]
    yield Claim("peak memory of the intake", peak, "MB", "the limit", LIMIT_MB, 1.0, told, peak_rss_mb=peak)
    yield Claim("peak memory of the intake", peak, "MB", f"at {SMALL:,}", small["peak_rss_mb"], 1.1, told, peak_rss_mb=peak)
    for name, key in (("time", "seconds"), ("CPU time", "cpu_seconds")):
        cost, base = (1e6 * each[key] / each["lines"] for each in (large, small))
        yield Claim(f"{name} for a webhook", cost, "µs", f"at {SMALL:,}", base, 1.1, told, peak_rss_mb=peak)


class Home:
    """An installation with tenants, and files of webhooks for it."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self._folder, self._home = folder, folder / "home"
        flexoraa = [sys.executable, "-m", "orchestration.cli"]
        traffic = folder / "traffic"
        _run([*flexoraa, "simulate", "--out", str(traffic), "--tenants", str(TENANTS), "--leads", "1", "--days", "7", "--quiet"])
        _run([*flexoraa, "tenant", "apply", str(traffic / "tenants.yaml"), "--home", str(self._home)])
        self._accounts = []
        for tenant in yaml.safe_load((traffic / "tenants.yaml").read_text())["tenants"]:
            connection = next(each for each in tenant["connections"] if each["source"] == "whatsapp")
            secret = (traffic / connection["verify_secrets"][0]["file"]).read_bytes().strip()
            self._accounts.append(Account(connection["account_id"], connection["numbers"][0], secret))
        self._bodies = folder / "bodies.ndjson"
        self._segment = folder / "segment.ndjson"

    def write(self, size: int) -> float:
        """As a segment and as bare bodies; returns the mean size of a body in bytes."""
        return write(self._segment, self._bodies, size, self._accounts)

    def take_in(self, size: int) -> dict[str, Any]:
        """Ours, with nothing known before."""
        for left in (self._home / "inbox").rglob("*.ndjson"):
            left.unlink()
        (self._home / "inbox" / "segment.ndjson").hardlink_to(self._segment)
        found = _said([sys.executable, "-m", "benchmarks._ingest_once", str(self._home)])
        if found["lines"] != size or found["rejected"] or found["accepted"] < size:
            raise RuntimeError(f"not everything was taken in: {found}")
        return found

    def duckdb(self, kind: str, size: int) -> float:
        """Seconds of the peer; `segment` is the same file, `bodies` the bare ones."""
        path = {"segment": self._segment, "bodies": self._bodies}[kind]
        found = _said([sys.executable, "-m", "benchmarks._duckdb_read", kind, str(path), str(self._folder / "peer.parquet")])
        if found["rows"] != size:
            raise RuntimeError(f"DuckDB found {found['rows']} messages in {size}")
        return float(found["seconds"])

    def dlt(self) -> float:
        """Seconds of the other peer, on all bare bodies."""
        return float(
            _said([str(_dlt_python()), str(ROOT / "benchmarks" / "_dlt_load.py"), str(self._bodies), str(self._folder)])["seconds"]
        )


def _dlt_python() -> Path:
    """The Python of an environment with dlt, made once below the user's cache folder: it does not fit our versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flexoraa-bench"
    folder = cache / DLT.replace("[duckdb]==", "-")
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        print(f"making an environment for dlt in {folder}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", DLT])
        (folder / "made").touch()
    return python


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=False, env=_ENV, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _said(command: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(command).strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
