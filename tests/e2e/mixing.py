"""Traffic told otherwise: in another order, doubled, in other segments, up to seven days later; and what the lake then holds.

Here belongs what must make no difference. What tells no time of its own happened when it was received, so it is never told later here. A
vendor signs a retry anew where its signatures have an age. Not here: the laws (`test_laws`, `test_demo`).
"""

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import zstandard

from core.columns import columns
from core.events import EVENT_TYPES, UNTOLD, Event
from core.sources import sources
from orchestration.simulator.business import Business, google, make_business
from orchestration.simulator.wire import calendly_wire, push_wire

LATEST = timedelta(days=7)
_INGESTED = "tenant_id", "received_at", "schema_version", "segment_id", "body_hash"


@dataclass(frozen=True)
class Mix:
    """How the same lines come otherwise: shares of lines that are doubled and that are late, how many segments, whether they come twice."""

    seed: int
    doubled: float
    late: float
    segments: int
    is_rerun: bool = False


class Signers:
    """The vendors of a simulation, for whom only the seed is needed."""

    def __init__(self, seed: int, tenants: int, end: datetime, days: int) -> None:
        self.seed = seed
        made = [make_business(index, seed, end - timedelta(days=days), end) for index in range(tenants)]
        self._businesses: dict[str, Business] = {
            business.accounts[name]: business for business in made for name in ("calendly", "sales", "support")
        }

    def later(self, line: bytes, delay: timedelta, not_after: datetime | None = None) -> bytes:
        """The line as it would have come so much later; as it is, if it is none that may."""
        try:
            told = json.loads(line)
            source, body, at = told["source"], told["body"].encode(), datetime.fromisoformat(told["received_at"])
        except (ValueError, KeyError, TypeError):
            return line
        if source not in sources() or any(event.occurred_at == UNTOLD for event in _events(source, body)):
            return line
        late_at = at + delay if not_after is None else min(at + delay, max(at, not_after))
        headers = {name.lower(): value for name, value in told["headers"].items()}
        if "calendly-webhook-signature" in headers or "authorization" in headers:
            business = next((each for each in map(self._businesses.get, sources()[source].accounts(body)) if each), None)
            secret = business and business.secrets[source].encode()
            if not business or not sources()[source].verify(headers, body, secret or b"", at):
                return line  # it was never good, and a signature of now would make it so
            text = body.decode()
            wire = (
                calendly_wire(text, business.secrets["calendly"], late_at)
                if source == "calendly"
                else push_wire(text, google(self.seed).token(late_at))
            )
            return wire.line(late_at)
        return json.dumps(told | {"received_at": late_at.isoformat()}, ensure_ascii=False).encode()


def _events(source: str, body: bytes) -> Iterator[Event]:
    return (each for each in sources()[source].decode(body, {}) if isinstance(each, Event))


def mixed(lines: list[bytes], mix: Mix, signers: Signers, not_after: datetime | None = None) -> Iterator[list[bytes]]:
    """The lines of each segment."""
    chance = random.Random(mix.seed)
    late = [signers.later(line, chance.random() * LATEST, not_after) if chance.random() < mix.late else line for line in lines]
    # what comes again comes as it came: at another time only what was delayed
    again = [chance.choice((line, other)) for line, other in zip(lines, late, strict=True) if chance.random() < mix.doubled]
    told = late + again
    chance.shuffle(told)
    cuts = sorted(chance.randrange(len(told) + 1) for _ in range(mix.segments - 1))
    for low, high in zip([0, *cuts], [*cuts, len(told)], strict=True):
        yield told[low:high]


def write(inbox: Path, segments: Iterable[list[bytes]], chance: random.Random) -> None:
    """Each as a segment, plain or packed."""
    ways: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
        (bytes, ".ndjson"), (gzip.compress, ".ndjson.gz"), (zstandard.ZstdCompressor().compress, ".ndjson.zst"),
    )  # fmt: skip
    for number, lines in enumerate(segments):
        pack, suffix = chance.choice(ways)
        (inbox / f"mixed-{chance.getrandbits(40):010x}-{number:04d}{suffix}").write_bytes(pack(b"".join(line + b"\n" for line in lines)))


def unpacked(path: Path) -> bytes:
    """What a segment holds."""
    raw = path.read_bytes()
    if path.name.endswith(".gz"):
        return gzip.decompress(raw)
    return zstandard.ZstdDecompressor().decompressobj().decompress(raw) if path.name.endswith(".zst") else raw


def rows_of(lake: Path, event: type[Event]) -> list[dict[str, Any]]:
    """Every row of one canonical table."""
    with duckdb.connect() as connection:
        return (
            connection.sql(f"from read_parquet('{lake}/{event.table}/*/*.parquet', hive_partitioning = false)").to_arrow_table().to_pylist()
        )


def canonical(lake: Path) -> dict[str, tuple[int, str]]:
    """Distinct rows of each canonical table without what ingestion adds, as their number and an ordered checksum."""
    found = {}
    with duckdb.connect() as connection:
        for event in EVENT_TYPES:
            names = ", ".join(f'"{each.name}"' for each in columns(event) if each.name not in _INGESTED)
            files = f"{lake}/{event.table}/*/*.parquet"
            query = f"select distinct tenant_id, {names} from read_parquet('{files}', hive_partitioning = false)"
            rows = sorted(map(str, connection.sql(query).fetchall()))
            found[event.table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found
