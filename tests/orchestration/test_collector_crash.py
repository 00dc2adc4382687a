"""kill -9 at any moment: what was acknowledged is in a segment, exactly as it was sent, and everything in a segment is counted once."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import pyarrow.dataset as ds
import pytest

from assets.ingest import take_in_all
from core.events import ServiceEvent
from tests.orchestration.collecting import Home, Process, Sender, collecting, opened_home

WORKERS = 8


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with opened_home() as opened:
        yield opened


def body_of(sender: Sender, rng: Random, event_id: str) -> bytes:
    """Mostly small; some large, so that the kill may tear a write; some that ingestion rejects."""
    if rng.random() < 0.05:
        return json.dumps({"type": "service.reported", "id": event_id, "account_id": sender.account_id}).encode()
    return sender.report(event_id, "सेवा " * rng.randrange(1, 20_000 if rng.random() < 0.05 else 20))


async def post_until_killed(home: Home, collector: Process, seed: int) -> tuple[Counter[bytes], Counter[bytes]]:
    """What was acknowledged and what was sent, with repeats, by the time at which the process is dead."""
    rng = Random(seed)
    acknowledged: Counter[bytes] = Counter()
    sent: Counter[bytes] = Counter()

    async def work(client: httpx.AsyncClient, worker: int) -> None:
        for n in range(100_000):
            sender = home.senders[rng.randrange(len(home.senders))]
            body = body_of(sender, rng, f"{seed}-{worker}-{n}")
            for _ in range(2 if rng.random() < 0.1 else 1):
                sent[body] += 1
                try:
                    answer = await client.post(f"{collector.url}/hooks/platform", content=body, headers=sender.signed(body))
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                acknowledged[body] += 1

    async with httpx.AsyncClient(timeout=30) as client:
        tasks = [asyncio.create_task(work(client, each)) for each in range(WORKERS)]
        await asyncio.sleep(rng.uniform(0.02, 0.4))
        await asyncio.to_thread(collector.kill)
        await asyncio.gather(*tasks)
    return acknowledged, sent


def kill_one(home: Home, seed: int) -> tuple[Counter[bytes], Counter[bytes]]:
    """Start a collector, post to it, kill it."""
    collector = Process(home, "--rotate-bytes", str(Random(seed).choice((2_000, 100_000, 64 << 20))))
    try:
        return asyncio.run(post_until_killed(home, collector, seed))
    finally:
        collector.close()


def check_seeds(home: Home, seeds: range) -> None:
    """Kill a collector for each seed, two beside each other; then one more start, and everything is taken in."""
    home.clear()
    with ThreadPoolExecutor(2) as pool:  # starting one takes a second of one core
        results = list(pool.map(lambda seed: kill_one(home, seed), seeds))
    assert len(home.open_segments()) <= 2  # a start closes what the dead left
    with collecting(home):
        assert home.open_segments() == []
    acknowledged = sum((each[0] for each in results), Counter[bytes]())
    sent = sum((each[1] for each in results), Counter[bytes]())
    stored = Counter(line["body"].encode() for line in home.lines())
    assert acknowledged.total() > len(seeds)
    assert not acknowledged - stored, "acknowledged, and in no segment"
    assert not stored - sent, "in a segment, and never sent so"
    assert (stored - acknowledged).total() <= WORKERS * len(seeds)  # on their way when the process died
    check_conservation(home, stored)


def check_conservation(home: Home, stored: Counter[bytes]) -> None:
    platform = home.platform
    platform.lake.prepare()
    before = event_ids(home)
    taken, repeated = take_in_all(platform.inbox, platform.lake, platform.ledger, platform.vault, platform.progress)
    counts = [count for each in taken for count in each.counts]
    lines, accepted, rejected = (
        sum(each) for each in ((t.line_count for t in taken), (c.accepted for c in counts), (c.rejected for c in counts))
    )
    assert repeated == 0
    assert stored.total() == lines == accepted + rejected
    good = Counter({body: count for body, count in stored.items() if b'"kind"' in body})
    found = event_ids(home) - before
    assert sorted(found.values()) == sorted(good.values())  # ids are keyed hashes: each first sighting with its duplicates
    assert rejected == stored.total() - good.total()


def event_ids(home: Home) -> Counter[str]:
    table = ds.dataset(home.platform.settings.lake / ServiceEvent.table, format="parquet", partitioning="hive").to_table(
        columns=["event_id"]
    )
    return Counter(table["event_id"].to_pylist())


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_whatever_was_acknowledged_before_a_kill_is_kept_and_counted(home: Home, first: int) -> None:
    check_seeds(home, range(first, first + 10))


@pytest.mark.large
@pytest.mark.parametrize("first", range(1_000, 1_200, 50))
def test_the_same_for_200_kills(home: Home, first: int) -> None:
    check_seeds(home, range(first, first + 50))


def test_a_torn_last_line_is_cut_and_the_lines_before_it_stay(home: Home) -> None:
    home.clear()
    sender = home.senders[0]
    line = json.dumps(
        {"source": "platform", "received_at": "2026-11-22T10:00:00Z", "headers": {}, "body": sender.report("x").decode()}
    ).encode()
    contents = {
        "whole": line + b"\n" + line + b"\n",
        "torn": line + b"\n" + line[:50],
        "only torn": line[:50],
        "empty": b"",
        "large": line + b"\n" + b"x" * 300_000,
    }
    for name, content in contents.items():
        (home.inbox / f".collector-{name}.ndjson.open").write_bytes(content)
    with collecting(home) as collector:
        assert "closed .collector-torn.ndjson.open of a process that died" in collector.log()
    closed = {path.stem.removeprefix("collector-"): path.read_bytes() for path in home.inbox.glob("*.ndjson")}
    assert closed == {"whole": contents["whole"], "torn": line + b"\n", "large": line + b"\n"}
    assert home.open_segments() == []
