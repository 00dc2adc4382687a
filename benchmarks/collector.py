"""How many webhooks a second the collector acknowledges, how long one waits, and what a tenant that floods costs the others.

Load comes from wrk on the same machine; every request is signed, and answered after its fsync. The peer is `benchmarks._collector_sketch`.
`python -m benchmarks.collector [--seconds 5] [--runs 5] --json`
"""

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import yaml

from benchmarks._claim import ROOT, Claim

CONNECTIONS = 64
OTHERS = 10
FACTOR = 100
REQUIRED_PER_SECOND = 7_000.0
LIMIT_MS = 30.0
_ENV = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
_BODY = (
    '{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"value":{"messaging_product":"whatsapp","metadata":'
    '{"display_phone_number":"15550001111","phone_number_id":"%s"},"contacts":[{"profile":{"name":"Asha"},"wa_id":"919876543210"}],"messages":'
    '[{"from":"919876543210","id":"wamid.HBgMOTE5ODc2NTQzMjEwFQIAEhgg","timestamp":"1749416383","type":"text","text":{"body":'
    '"Hello, I would like to know more about the price of the three bedroom flat"}}]},"field":"messages"}]}]}'
)
_LUA = """
local requests = {%s}
local n = 0
request = function() n = n %% #requests + 1; return requests[n] end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print(string.format('{"requests":%%d,"failed":%%d,"seconds":%%f,"p99_ms":%%f}', summary.requests, failed, summary.duration / 1e6,
    latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw; `failed` are answers other than 200 and lost connections."""

    requests: int
    failed: int
    seconds: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Acknowledged ones."""
        return (self.requests - self.failed) / self.seconds


def main() -> None:
    """Measure and print; without wrk, say what to install and end with 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="how long each run of wrk lasts")
    parser.add_argument("--runs", type=int, default=5, help="the median of so many counts")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("benchmarks.collector needs wrk: apt-get install wrk", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        for claim in measure(Path(folder), options.seconds, options.runs):
            print(claim.report(), flush=True)


def measure(folder: Path, seconds: int, runs: int) -> Iterator[Claim]:
    """All claims; peer and collector take turns, so that what else the machine does falls on both."""
    before = f"load average {os.getloadavg()[0]:.1f} before"
    scripts = _home(folder)
    with _collector(folder / "home") as url, _sketch(folder, scripts.secret) as sketch_url:
        ours, peers = [], []
        for _ in range(runs):
            peers.append(_wrk(sketch_url, scripts.first, CONNECTIONS, seconds))
            ours.append(_wrk(url, scripts.all, CONNECTIONS, seconds))
        size = f"{CONNECTIONS} connections, {1 + OTHERS} tenants, {len(_BODY)} bytes, median of {runs}, {before}"
        _refuse_failures([*ours, *peers])
        rate = statistics.median(each.per_second for each in ours)
        peer = statistics.median(each.per_second for each in peers)
        p99 = statistics.median(each.p99_ms for each in ours)
        yield Claim("acknowledged webhooks", rate, "1/s", "what is required", REQUIRED_PER_SECOND, 1.0, size, is_floor=True)
        yield Claim("acknowledged webhooks", rate, "1/s", "bare ASGI sketch with group fsync", peer, 0.6, size, is_floor=True)
        yield Claim("p99 of an acknowledgement", p99, "ms", "the limit", LIMIT_MS, 1.0, size)
        pairs = [_pair(url, scripts, seconds, is_flood_first=bool(run % 2)) for run in range(runs)]
        _refuse_failures([each for pair in pairs for each in (pair.quiet, pair.flooded)])
        middle = sorted(pairs, key=lambda each: each.flooded.p99_ms / each.quiet.p99_ms)[runs // 2]
        got = f"it got {middle.flood.per_second:,.0f}/s"
        size = f"{OTHERS} tenants with a connection each, an eleventh with {FACTOR} ({got}), the middle of {runs} pairs, {before}"
        peer_name = "their p99 while it has one connection too"
        value, base = middle.flooded.p99_ms, middle.quiet.p99_ms
        yield Claim("the others' p99 while one tenant floods", value, "ms", peer_name, base, 1.1, size)


class _Pair(NamedTuple):
    """The others beside one connection of the first tenant, beside a flood of it, and that flood."""

    quiet: Load
    flooded: Load
    flood: Load


def _pair(url: str, scripts: "_Scripts", seconds: int, *, is_flood_first: bool) -> _Pair:
    """One after the other, so that what else the machine does is much the same for both."""
    if is_flood_first:
        flooded, flood = _beside(url, scripts, FACTOR, seconds)
        return _Pair(_beside(url, scripts, 1, seconds)[0], flooded, flood)
    quiet, _ = _beside(url, scripts, 1, seconds)
    return _Pair(quiet, *_beside(url, scripts, FACTOR, seconds))


@dataclass(frozen=True)
class _Scripts:
    all: Path
    first: Path
    others: Path
    secret: str


def _home(folder: Path) -> _Scripts:
    """An installation with tenants, and scripts for wrk that sign as theirs."""
    flexoraa = [sys.executable, "-m", "orchestration.cli"]
    traffic = folder / "traffic"
    for command in (
        ["simulate", "--out", str(traffic), "--tenants", str(1 + OTHERS), "--leads", "1", "--days", "7", "--quiet"],
        ["tenant", "apply", str(traffic / "tenants.yaml"), "--home", str(folder / "home")],
    ):
        subprocess.run([*flexoraa, *command], check=True, env=_ENV, cwd=ROOT, capture_output=True)
    requests, secrets = [], []
    for tenant in yaml.safe_load((traffic / "tenants.yaml").read_text())["tenants"]:
        connection = next(each for each in tenant["connections"] if each["source"] == "whatsapp")
        secrets.append((traffic / connection["verify_secrets"][0]["file"]).read_text().strip())
        body = _BODY % (connection["account_id"], connection["numbers"][0])
        signature = hmac.new(secrets[-1].encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = (
            f'{{["X-Hub-Signature-256"]="sha256={signature}",["Content-Type"]="application/json",["User-Agent"]="facebookexternalua"}}'
        )
        requests.append(f'wrk.format("POST","/hooks/whatsapp",{headers},[==[{body}]==])')
    scripts = _Scripts(folder / "all.lua", folder / "first.lua", folder / "others.lua", secrets[0])
    for path, part in ((scripts.all, requests), (scripts.first, requests[:1]), (scripts.others, requests[1:])):
        path.write_text(_LUA % ",\n".join(part))
    return scripts


@contextlib.contextmanager
def _collector(home: Path) -> Iterator[str]:
    log = home / "collector.log"
    command = [sys.executable, "-m", "orchestration.cli", "collect", "--home", str(home), "--port", "0"]
    with log.open("w") as file, subprocess.Popen(command, cwd=ROOT, env=_ENV, stderr=file) as process:
        try:
            while (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())) is None:
                if process.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.05)
            httpx.get(f"{found[0]}/health", timeout=60).raise_for_status()
            yield found[0]
        finally:
            process.terminate()


@contextlib.contextmanager
def _sketch(folder: Path, secret: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks._collector_sketch", str(port), str(folder / "sketch.ndjson"), secret]
    with subprocess.Popen(command, cwd=ROOT, env=_ENV) as process:
        try:
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    httpx.post(f"http://127.0.0.1:{port}/", content=b"x")
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wrk(url: str, script: Path, connections: int, seconds: int) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    return _read(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _beside(url: str, scripts: _Scripts, connections: int, seconds: int) -> tuple[Load, Load]:
    """The others' load and that of the first tenant, which begins before them and ends after them."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds + 1}s", "-s", str(scripts.first), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        time.sleep(0.5)
        others = _wrk(url, scripts.others, OTHERS, seconds)
        return others, _read(first.communicate()[0])


def _read(output: str) -> Load:
    return Load(**json.loads(output.strip().splitlines()[-1]))


def _refuse_failures(loads: Sequence[Load]) -> None:
    failed = sum(each.failed for each in loads)
    if failed:
        raise RuntimeError(f"{failed} requests were not acknowledged: this measures nothing")


if __name__ == "__main__":
    main()
