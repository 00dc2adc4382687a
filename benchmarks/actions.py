"""Actions: decisions a second, the time from a published row to the request at a local server, and a backlog at the provider's rate.

Against this machine's own limits of the same run: what PostgreSQL inserts and commits one by one, what the bare HTTP client sends to the
same server, and the rate that the provider allows. `--size small` is a smoke test; `--backlog 50000` is the claim.

    python -m benchmarks.actions --per-second 6 --seconds 60 --json
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from assets.delivery import decide, deliver
from benchmarks._claim import Claim
from core.actions import Action, key_of
from orchestration.receiver import Receiver
from orchestration.resources.clock import SystemClock
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault

_COLUMNS = Action._fields
SIZES = {"small": (400, 300, 600), "default": (4_000, 3_000, 50_000)}
PER_SECOND = 30
HANDS = 8


def tenants_file(folder: Path, tenants: int, url: str, per_second: float) -> Path:
    """So many tenants with one alert destination each, which takes so many a second."""
    path = folder / "tenants.yaml"
    since = "valid_from: 2026-01-01T00:00:00Z"
    lines = ["version: 1", "tenants:"]
    for number in range(tenants):
        lines.append(
            f"""  - id: bench_{number}
    name: Bench
    timezone: Asia/Kolkata
    default_region: IN
    currency: INR
    connections: [{{ id: platform, source: platform, account_id: bench_{number}, verify_secrets: [{{ env: S }}], {since} }}]
    destinations: [{{ id: hook, kind: alerts, url: "{url}/hook/bench_{number}", secret: {{ env: S }}, {since} }}]
    calendars: [{{ id: office, timezone: Asia/Kolkata, week: {{ mon: ["09:00-18:00"] }}, {since} }}]
    credit_rates: [{{ currency: INR, tokens_per_major: 10, {since} }}]
    policies: [{{ calendar: office, {since} }}]
    scoring_weights: [{{ typical_deal_minor: 500000000, {since} }}]
    sending: [{{ rates: [{{ channel: webhook, per_second: {per_second}, burst: 10 }}], {since} }}]
"""
        )
    path.write_text("\n".join(lines))
    return path


def publish(state: State, actions: Sequence[Action]) -> None:
    """In one COPY, as the owner: a superuser may where row-level security forbids it to others."""
    with state.owner() as connection, connection.cursor() as cursor:
        cursor.execute("delete from serving.act_requests")
        with cursor.copy(f"copy serving.act_requests ({', '.join(_COLUMNS)}) from stdin") as copy:
            for each in actions:
                copy.write_row(each)
        cursor.execute("create index if not exists bench_requests on serving.act_requests (tenant_id, action_id)")
        cursor.execute("insert into ops.publications (as_of, published_at, tables) values (now(), now(), '{}')")
        cursor.execute("analyze serving.act_requests")


def made(count: int, tenants: int, name: str, share_of_first: float = 0.0) -> list[Action]:
    """Alerts that are due, the first tenant's share of them besides an even one."""
    now = datetime.now(UTC)
    found = []
    for number in range(count):
        tenant = 0 if number < count * share_of_first else number % tenants
        due = now - timedelta(hours=2) + timedelta(milliseconds=number)
        found.append(
            Action(
                key_of(name, str(number)), f"bench_{tenant}", "lead_leak", "notify", "webhook", f"l{number}", None, None, None, "no_reply",
                f"e{number}", '{"leak": "no_reply"}', due, now + timedelta(days=1),
            )
        )  # fmt: skip
    return found


@contextlib.contextmanager
def place(tenants: int, per_second: float) -> Iterator[tuple[Settings, State, Receiver, Path]]:
    """A home of its own with a receiver beside."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        settings = Settings.load(Path(folder) / "home", {})
        with open_state(settings) as state, Receiver(Path(folder) / "record.ndjson") as receiver:
            with state.owner() as connection:  # whole rows, as the marts have them
                connection.execute("drop table if exists serving.act_requests")
                columns = ", ".join(f"{name} {'timestamptz' if name.endswith('_at') else 'text'}" for name in _COLUMNS)
                connection.execute(f"create table serving.act_requests ({columns})")
                connection.execute("select ops.protect_table('serving', 'act_requests')")
                connection.execute("alter table serving.act_requests owner to flexoraa_service")
            path = tenants_file(Path(folder), tenants, receiver.url, per_second)
            apply_file(path, state, Vault(state, settings.master_key()), datetime.now(UTC), {"S": "secret"})
            yield settings, state, receiver, Path(folder)


def work(settings: Settings, state: State, receiver_url: str, hands: int) -> None:
    """One delivery round."""
    clock = SystemClock()
    lookup = VaultLookup(state, Vault(state, settings.master_key()), clock)
    with httpx.Client() as client:
        ways = senders(SenderTools(client, lookup, receiver_url))
        deliver(PostgresOutbox(state, hands=hands), ways, InboxReceipts(settings.inbox, lookup), clock, "bench")


def decisions(count: int) -> Claim:
    """From published rows to the outbox, against rows that are committed one by one."""
    with place(4, 10_000) as (_, state, _, _):
        publish(state, made(count, 4, "decide"))
        begun = time.perf_counter()
        new, _ = decide(PostgresOutbox(state), "lead_leak", "", SystemClock())
        rate = new / (time.perf_counter() - begun)
        with state.psycopg() as connection:
            connection.execute("create table if not exists serving.bench_single (n int)")
        begun = time.perf_counter()
        for number in range(300):
            with state.begin() as one:
                one.exec_driver_sql("insert into serving.bench_single values (%s)", (number,))
        single = 300 / (time.perf_counter() - begun)
    return Claim(
        "decisions a second, published rows to outbox",
        rate,
        "1/s",
        "rows committed one by one",
        single,
        1.0,
        f"{new:,} requests",
        is_floor=True,
    )


def latencies(count: int) -> list[Claim]:
    """From the publication to the request at the server, one batch that comes at once, without a rate in the way."""
    with place(4, 10_000) as (settings, state, receiver, _):
        with httpx.Client() as client:
            begun = time.perf_counter()
            for _ in range(200):
                client.post(f"{receiver.url}/hook/bare", content=b"{}")
            bare = 200 / (time.perf_counter() - begun)
        before = len(receiver.requests)
        publish(state, made(count, 4, "latency"))
        published_at = datetime.now(UTC)
        decide(PostgresOutbox(state), "lead_leak", "", SystemClock())
        work(settings, state, receiver.url, HANDS)
        seconds = sorted((each.received_at - published_at).total_seconds() for each in receiver.requests[before:])
    cuts = statistics.quantiles(seconds, n=100)
    size = f"{len(seconds):,} at once, {HANDS} hands"
    whole = len(seconds) / bare
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
    return [
        Claim(f"published row to received request, {name}", value, "s", "all of them by the bare client", whole, 20.0, size)
        for name, value in named.items()
    ]


def backlog(count: int, per_second: float, seconds: float | None, tenants: int = 10) -> list[Claim]:
    """What a backlog comes to at the rate that each provider account allows, drained by two workers, or begun for so many seconds.

    A tenth of it is the first tenant's, besides an even share. Raises SystemExit where an action came twice, or never.
    """
    actions = made(count, tenants, "backlog", share_of_first=0.1)
    with place(tenants, per_second) as (settings, state, receiver, _):
        publish(state, actions)
        decide(PostgresOutbox(state), "lead_leak", "", SystemClock())
        command = [sys.executable, "-m", "benchmarks.actions", "--work", str(settings.home), state.libpq_url, receiver.url]
        begun_at = datetime.now(UTC)
        _wait([subprocess.Popen(command) for _ in range(2)], seconds)
        arrived: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for request in receiver.requests:
            arrived[request.json()["tenant_id"]].append((request.received_at, request.headers["idempotency-key"]))
    keys = [key for each in arrived.values() for _, key in each]
    if len(set(keys)) < len(keys) or (seconds is None and len(keys) < count):
        raise SystemExit("an action was lost, or sent twice")
    dues: dict[str, list[datetime]] = defaultdict(list)
    for action in actions:
        dues[action.tenant_id].append(action.due_at)
    due = {each.action_id: each.due_at for each in actions}
    late = max(_disorder([due[key] for _, key in each], dues[tenant]) for tenant, each in arrived.items())
    waits = [each[0][0] for each in arrived.values()]
    for tenant, each in sorted(arrived.items()):
        waited, last = ((moment - begun_at).total_seconds() for moment in (each[0][0], each[-1][0]))
        print(f"{tenant}: {len(each):6,} actions, the first after {waited:6.1f} s, the last after {last:6.1f} s", file=sys.stderr)
    whole = (max(each[-1][0] for each in arrived.values()) - min(waits)).total_seconds()
    size = f"{count:,} of {tenants} tenants, {per_second:g}/s each, 2 workers × {HANDS} hands; load {os.getloadavg()[0]:.1f}"
    if seconds is None:
        longest = max(map(len, dues.values()))
        pace = Claim("a backlog drains in", whole, "s", "what the providers' rates allow", longest / per_second, 1.25, size)
    else:
        size += f"; the first {whole:.0f} s of it"
        allowed = tenants * per_second
        pace = Claim("a backlog's pace", len(keys) / whole, "1/s", "what the providers' rates allow", allowed, 0.8, size, is_floor=True)
    return [
        pace,
        Claim("the last tenant's first action after the first's", (max(waits) - min(waits)).total_seconds(), "s", "all", whole, 0.05, size),
        Claim("places that an action comes too late within its tenant", late, "", "hands at work", 2 * HANDS, 2.0, size),
    ]


def _wait(workers: Sequence["subprocess.Popen[bytes]"], seconds: float | None) -> None:
    """Until all have ended well, or for so long from their start; then they are stopped."""
    until = None if seconds is None else time.monotonic() + seconds
    for each in workers:
        try:
            code = each.wait(None if until is None else max(until - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            each.terminate()
            each.wait()
            continue
        if code != 0:
            raise SystemExit("a worker of the backlog failed")


def _disorder(came: Sequence[datetime], dues: Sequence[datetime]) -> int:
    """By how many places an action is behind where it belongs by age among all of its tenant, at most."""
    place_of = {due: place for place, due in enumerate(sorted(dues))}
    return max(here - place_of[due] for here, due in enumerate(came))


def main() -> None:
    """All claims, or one worker of the backlog."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="default")
    parser.add_argument("--backlog", type=int, help="another size of the backlog")
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="what each tenant's provider allows")
    parser.add_argument("--seconds", type=float, help="how long the backlog is worked on, where there is no time for all of it")
    parser.add_argument("--json", action="store_true", help="one object a claim (there is no other form)")
    parser.add_argument("--work", nargs=3, metavar=("HOME", "STATE", "RECEIVER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Settings.load(Path(options.work[0]), {}), State(options.work[1]), options.work[2], HANDS)
        return
    decided, sent, waiting = SIZES[options.size]
    for claim in (decisions(decided), *latencies(sent), *backlog(options.backlog or waiting, options.per_second, options.seconds)):
        print(claim.report(), flush=True)


if __name__ == "__main__":
    main()
