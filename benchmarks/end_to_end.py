"""How long it takes from a webhook that the collector accepted to the action that the tenant's own server received, warm.

`flexoraa up` runs as ever (collector, Dagster's daemon, runs in processes of their own, Postgres), over a history of so many leads.
Webhooks come one by one: a person makes a new lead HOT, which asks for a notice with whose it is. The limit is 60 s; the split by stage
goes to stderr. `python -m benchmarks.end_to_end [--leads 60] [--webhooks 20] [--every 7] --json`
"""

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import yaml

from benchmarks._claim import ROOT, Claim
from orchestration.receiver import Receiver
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state

LIMIT_SECONDS = 60.0
WARM_UP_SECONDS = 600.0
GIVE_UP_SECONDS = 300.0
STAGES = ("run asked for", "run started", "marts published", "in the outbox", "try begun", "received")
"""Each from the one before it; the first from the collector's answer: the segment is closed, and the sensor has seen it."""

_ENV = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
_FLEXORAA = [sys.executable, "-m", "orchestration.cli"]


@dataclass(frozen=True)
class Feed:
    """The operating system's feed of one tenant, and where the collector takes it."""

    tenant: str
    account: str
    secret: bytes
    url: str

    def tell(self, number: int) -> tuple[datetime, datetime]:
        """A new lead is HOT: when, which is also when its action is due and names it, and when the collector had answered."""
        at = datetime.now(UTC)
        event = {
            "id": f"bench_{number}", "account_id": self.account, "type": "lead.changed", "kind": "tier_overridden", "tier": "HOT",
            "contact": {"kind": "phone", "value": f"+91987{number:07d}"}, "occurred_at": at.isoformat(),
        }  # fmt: skip
        body = json.dumps(event).encode()
        signature = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-flexoraa-signature": signature}
        httpx.post(f"{self.url}/hooks/platform", content=body, headers=headers, timeout=30).raise_for_status()
        return at, datetime.now(UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=60, help="leads of each of 2 tenants in the history")
    parser.add_argument("--webhooks", type=int, default=20, help="how many are measured")
    parser.add_argument("--every", type=float, default=7.0, help="seconds between two: no multiple of any tick's")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        print(measure(Path(folder), options.leads, options.webhooks, options.every).report(), flush=True)


def measure(folder: Path, leads: int, webhooks: int, every: float) -> Claim:
    """The claim, over a home of its own."""
    with Receiver(folder / "received.ndjson") as receiver:
        home = folder / "home"
        feed, ports = _prepare(folder, home, receiver, leads)
        with open_state(Settings.load(home, {})) as state, _up(home, ports, folder / "up.log"):
            _wait("the collector", WARM_UP_SECONDS, lambda: _is_healthy(feed.url))
            _received(receiver, [feed.tell(0)[0]], WARM_UP_SECONDS)
            accepted = {}
            for number in range(1, webhooks + 1):
                due_at, at = feed.tell(number)
                accepted[due_at] = at
                time.sleep(every)
            received = _received(receiver, list(accepted), GIVE_UP_SECONDS)
            passed = {due_at: _stages(state, *received[due_at]) for due_at in accepted}
    rows = [
        [(end - begin).total_seconds() for begin, end in zip([at, *moments], moments, strict=False)]
        for at, moments in _pairs(accepted, passed)
    ]
    totals = [sum(row) for row in rows]
    for name, seconds in zip(STAGES, zip(*rows, strict=True), strict=True):
        print(f"{name:>16}  p50 {statistics.median(seconds):6.1f} s   p95 {_p95(seconds):6.1f} s", file=sys.stderr)
    print(f"{'in all':>16}  p50 {statistics.median(totals):6.1f} s   p95 {_p95(totals):6.1f} s   max {max(totals):6.1f} s", file=sys.stderr)
    size = f"{webhooks} webhooks, one every {every:g} s, over 2 tenants × {leads} leads; load {os.getloadavg()[0]:.1f} at the end"
    return Claim("webhook accepted to action received, p95 in a warm deployment", _p95(totals), "s", "the limit", LIMIT_SECONDS, 1.0, size)


def _pairs(accepted: dict[datetime, datetime], passed: dict[datetime, list[datetime]]) -> Iterator[tuple[datetime, list[datetime]]]:
    """Moments of each in their order; one that a clock of another process puts before its cause takes no time."""
    for due_at, at in accepted.items():
        moments, last = [], at
        for moment in passed[due_at]:
            last = max(last, moment)
            moments.append(last)
        yield at, moments


def _p95(seconds: Sequence[float]) -> float:
    """The nearest rank."""
    return sorted(seconds)[-(-95 * len(seconds) // 100) - 1]


def _prepare(folder: Path, home: Path, receiver: Receiver, leads: int) -> tuple[Feed, tuple[int, int]]:
    """A home with a history up to now, built and delivered; its first tenant's feed, and ports for UI and collector."""
    traffic = folder / "traffic"
    simulate = ["simulate", "--out", str(traffic), "--tenants", "2", "--leads", str(leads), "--others", "4", "--days", "12", "--quiet"]
    _flexoraa([*simulate, "--end-at", datetime.now(UTC).isoformat(), "--receiver-url", receiver.url])
    _flexoraa(["tenant", "apply", str(traffic / "tenants.yaml"), "--home", str(home)])
    (home / "settings.env").write_text(f"FLEXORAA_WHATSAPP_URL={receiver.url}\n")
    for segment in (traffic / "inbox").iterdir():
        segment.rename(home / "inbox" / segment.name)
    _flexoraa(["run", "--home", str(home), "--quiet"], codes=(0, 3))  # 3: the planted rejects
    tenant = yaml.safe_load((traffic / "tenants.yaml").read_text())["tenants"][0]
    connection = next(each for each in tenant["connections"] if each["source"] == "platform")
    secret = (traffic / connection["verify_secrets"][0]["file"]).read_text().strip()
    ui, hooks = _free_port(), _free_port()
    return Feed(tenant["id"], connection["account_id"], secret.encode(), f"http://127.0.0.1:{hooks}"), (ui, hooks)


def _flexoraa(arguments: Sequence[str], codes: Sequence[int] = (0,)) -> None:
    done = subprocess.run([*_FLEXORAA, *arguments], env=_ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"flexoraa {arguments[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


@contextlib.contextmanager
def _up(home: Path, ports: tuple[int, int], log: Path) -> Iterator[None]:
    """`flexoraa up`, until the block ends."""
    command = [*_FLEXORAA, "up", "--home", str(home), "--port", str(ports[0]), "--hooks-port", str(ports[1])]
    command += ["--reports-port", str(_free_port())]
    with log.open("wb") as output, subprocess.Popen(command, env=_ENV, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield
        except BaseException:
            print(log.read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(90)


def _wait(what: str, seconds: float, look: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not look():
        if time.monotonic() > until:
            message = f"after {seconds:.0f} s: not {what}"
            raise TimeoutError(message)
        time.sleep(0.2)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10).is_success
    except httpx.HTTPError:
        return False


def _received(receiver: Receiver, dues: Sequence[datetime], seconds: float) -> dict[datetime, tuple[str, datetime]]:
    """The action that was due at each moment and when it came to the tenant's server, once all have."""
    found: dict[datetime, tuple[str, datetime]] = {}

    def all_came() -> bool:
        for each in receiver.alerts():
            told = each.json()
            if told["rule"] == "routing":
                found.setdefault(datetime.fromisoformat(told["due_at"]), (told["action_id"], each.received_at))
        return found.keys() >= set(dues)

    _wait(f"all of {len(dues)} actions", seconds, all_came)
    return found


def _stages(state: State, action_id: str, received_at: datetime) -> list[datetime]:
    """The moments of `STAGES`. Its run is the one that was under way when its request was published first."""
    with state.owner() as connection:
        [(requested_at, begun_at)] = connection.execute(
            "select o.requested_at, min(a.started_at) from ops.outbox as o join ops.delivery_attempts as a using (action_id) "
            "where o.action_id = %s group by 1",
            (action_id,),
        ).fetchall()
        published = [row[0] for row in connection.execute("select published_at from ops.publications order by 1").fetchall()]
        runs = connection.execute(
            "select create_timestamp at time zone 'UTC', to_timestamp(start_time), to_timestamp(coalesce(end_time, 1e11)) "
            "from dagster.runs where pipeline_name = 'everything' and start_time is not null order by 2"
        ).fetchall()
    published_at = published[bisect_right(published, requested_at) - 1]
    # the first: one that began later waits for it by the run lock; a run at a fixed moment is dated before it began
    asked_at, started_at = next((row[:2] for row in runs if row[1] <= published_at <= row[2]), runs[-1][:2])
    return [asked_at, started_at, published_at, requested_at, begun_at, received_at]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
