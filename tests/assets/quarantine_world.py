"""A small world in which everything that can be put right later is wrong at first: a number nobody is connected to, another secret, older decoders.

Here belongs the world and the rooms in which it is taken in. Not here: what must be true of it.
"""

import dataclasses
import hashlib
import hmac
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets import checks
from assets.ingest import take_in_all
from assets.remodel import finish, remodel
from assets.replay import replay
from assets.retrying import Tools
from core.events import EVENT_TYPES
from core.quarantine import Choice
from core.sources import _whatsapp_items, _whatsapp_messages, platform
from core.sources import whatsapp as whatsapp_source
from core.sources._whatsapp_messages import PLAIN_TYPES, Item
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_rows import FolderLakeRows
from orchestration.resources.platform import Platform
from orchestration.resources.tenants import apply_file
from orchestration.resources.warehouse import Warehouse

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NO_ROWS = (
    "delete from ops.segments; delete from ops.segment_counts; delete from ops.quarantine; delete from ops.replays; "
    "delete from ops.held_segments; delete from ops.quarantine_reads"
)
SECRETS = {"APP": "app-secret", "FEED": "feed-secret", "OTHER": "not-the-secret"}


@dataclasses.dataclass(frozen=True)
class Fixes:
    """What has been put right; all of it from the start is the calm world."""

    is_connected: bool = True
    is_secret_true: bool = True

    def yaml(self) -> str:
        """Two tenants of one app; the second number of `fern` and the secret of its feed are what may be wrong."""
        numbers = '["fern-1", "fern-2"]' if self.is_connected else '["fern-1"]'
        return "version: 1\ntenants:\n" + "".join(
            f"""  - id: {tenant}
    name: {tenant}
    timezone: Asia/Kolkata
    default_region: IN
    currency: INR
    connections:
      - {{ id: wa, source: whatsapp, account_id: {tenant}-waba, numbers: {own}, verify_secrets: [{{ env: APP }}], valid_from: 2026-01-01T00:00:00Z }}
      - {{ id: feed, source: platform, account_id: {tenant}, verify_secrets: [{{ env: {secret} }}], valid_from: 2026-01-01T00:00:00Z }}
    calendars: [{{ id: office, timezone: Asia/Kolkata, week: {{ mon: ["09:00-18:00"] }}, valid_from: 2026-01-01T00:00:00Z }}]
    credit_rates: [{{ currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z }}]
    policies: [{{ calendar: office, quarantine_retention_days: {days}, valid_from: 2026-01-01T00:00:00Z }}]
    scoring_weights: [{{ typical_deal_minor: 500000000, valid_from: 2026-01-01T00:00:00Z }}]
"""
            for tenant, own, secret, days in (
                ("fern", numbers, "FEED" if self.is_secret_true else "OTHER", 90),
                ("moss", '["moss-1"]', "FEED", 10),
            )
        )


ANY = Choice()


def signed(raw: str, secret: str) -> str:
    return hmac.new(secret.encode(), raw.encode(), hashlib.sha256).hexdigest()


def line(source: str, header: str, signature: str, raw: str, minute: int) -> bytes:
    at = (AT + timedelta(minutes=minute)).isoformat()
    return json.dumps({"source": source, "received_at": at, "headers": {header: signature}, "body": raw}).encode()


def change(number: str, items: list[dict[str, Any]], field: str = "messages") -> dict[str, Any]:
    value = {"metadata": {"phone_number_id": number}, "contacts": [{"profile": {"name": "Asha"}, "wa_id": "919876543210"}], field: items}
    return {"id": f"{number[:4]}-waba", "changes": [{"field": field, "value": value}]}


def message(name: str, minute: int, stamp: str | None = None) -> dict[str, Any]:
    at = stamp or str(int((AT + timedelta(minutes=minute)).timestamp()))
    return {"from": "919876543210", "id": f"wamid.{name}", "timestamp": at, "type": "text", "text": {"body": f"hello {name}"}}


def call(name: str, minute: int) -> dict[str, Any]:
    stamp = str(int((AT + timedelta(minutes=minute)).timestamp()))
    return {
        "id": f"wacid.{name}",
        "from": "919876543210",
        "to": "15550001",
        "event": "connect",
        "timestamp": stamp,
        "direction": "USER_INITIATED",
    }


def document(name: str, minute: int) -> dict[str, Any]:
    """A message whose words lie where only who knows its type looks for them."""
    plain = {key: value for key, value in message(name, minute).items() if key != "text"}
    return plain | {"type": "document", "document": {"id": "1", "caption": f"hello {name}"}}


def whatsapp(minute: int, *entries: dict[str, Any], secret: str = SECRETS["APP"]) -> bytes:
    raw = json.dumps({"object": "whatsapp_business_account", "entry": list(entries)})
    return line("whatsapp", "X-Hub-Signature-256", f"sha256={signed(raw, secret)}", raw, minute)


def feed(minute: int, tenant: str, event: str, name: str, **more: Any) -> bytes:
    at = (AT + timedelta(minutes=minute)).isoformat()
    contact = {"kind": "phone", "value": "+919876543210"}
    raw = json.dumps({"type": event, "id": name, "account_id": tenant, "occurred_at": at, "contact": contact} | more)
    return line("platform", "X-Flexoraa-Signature", signed(raw, "feed-secret"), raw, minute)


LINES = [
    whatsapp(1, change("fern-1", [message("a", 1)])),
    whatsapp(2, change("fern-1", [message("b", 2)]), change("fern-2", [message("c", 2)])),  # one item of two is refused at first
    whatsapp(3, change("fern-2", [message("d", 3), message("d", 3)])),  # the same item twice in a body
    whatsapp(4, change("fern-2", [message("e", 4), message("broken", 4, "TIMESTAMP")])),  # one of them will never do
    whatsapp(4, change("fern-1", [message("f", 4), message("broken too", 4, "TIMESTAMP")])),
    whatsapp(5, change("fern-1", [call("g", 5)], "calls"), change("fern-2", [message("h", 5)])),  # accepted as unmodelled, and refused
    whatsapp(5, change("fern-1", [call("g", 5)], "calls"), change("fern-2", [message("h", 5)])),  # twice, byte for byte
    whatsapp(6, change("fern-2", [call("i", 6)], "calls")),  # refused; unmodelled if it is tried before there is a decoder
    whatsapp(7, change("moss-1", [call("j", 7)], "calls"), change("fern-2", [message("k", 7)])),  # of two tenants
    whatsapp(7, change("moss-1", [message("l", 7)]), secret="nobody's"),  # never signed
    whatsapp(8, change("fern-1", [message("c", 2)]), change("fern-2", [message("c", 2)])),  # an event that is refused here and accepted there
    feed(9, "fern", "lead.changed", "w1", kind="won"),
    feed(9, "fern", "lead.changed", "w1", kind="won"),
    feed(10, "fern", "lead.teleported", "w2"),  # no decoder of any day knows it
    feed(11, "moss", "lead.changed", "w3", kind="won"),
    feed(11, "moss", "privacy.requested", "w4", kind="access", contact={"kind": "phone", "value": "ask at the desk"}),
    whatsapp(12, change("fern-1", [document("n", 12), message("o", 12)])),  # accepted, of a type that is known later, beside another
    whatsapp(12, change("fern-1", [document("n", 12), message("o", 12)])),  # twice, byte for byte
    whatsapp(13, change("fern-1", [document("p", 13)]), change("fern-2", [document("q", 13), document("p", 13)])),  # and refused
    b'{"source": "whatsapp", "received_at": "2026-11-20T09:12:00Z"}',
    b"hello",
]  # fmt: skip
"""Of everything one: what a later connection, secret or decoder puts right, alone, beside others, twice; and what nothing puts right."""


def older_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoders as they were before anybody knew calls, documents and changes of leads: their own way for what they do not know."""
    monkeypatch.delitem(_whatsapp_items.ITEM_LISTS, "calls")
    older, words = PLAIN_TYPES - {"document"}, Item.words
    for module in (whatsapp_source, _whatsapp_messages):
        monkeypatch.setattr(module, "PLAIN_TYPES", older)
    monkeypatch.setattr(Item, "words", lambda item: None if item.type == "document" else words(item))
    monkeypatch.setattr(platform, "_TYPES", platform._TYPES - {"lead.changed"})


class Room:
    """An inbox and a lake of their own over a shared state."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        self.folder, self.platform = folder, platform
        self.inbox, self.lake = FolderInbox(folder / "inbox"), FolderLake(folder / "lake")
        self.rows_of_lake = FolderLakeRows(folder / "lake")
        self.warehouse = Warehouse(folder / "warehouse.duckdb", folder / "lake", platform.settings.reference)
        self.inbox.folder.mkdir(parents=True, exist_ok=True)
        self.lake.prepare()

    def apply(self, fixes: Fixes) -> None:
        path = self.folder / "tenants.yaml"
        path.write_text(fixes.yaml())
        apply_file(path, self.platform.state, self.platform.vault, AT, SECRETS)

    def drop(self, name: str, lines: list[bytes]) -> None:
        (self.inbox.folder / name).write_bytes(b"".join(each + b"\n" for each in lines))

    def tools(self) -> Tools:
        of = self.platform
        return Tools(of.quarantine, self.lake, self.rows_of_lake, of.vault, of.ledger.directory())

    def take(self) -> int:
        finish(self.tools())
        of = self.platform
        return len(take_in_all(self.inbox, self.lake, of.ledger, of.vault, of.progress)[0])

    def replay(self, choice: Choice = ANY, *, is_rehearsal: bool = False) -> tuple[Counter[str], Counter[str]]:
        """Events taken in by table, and what is still refused by reason."""
        finish(self.tools())
        found = list(replay(self.tools(), choice, is_rehearsal=is_rehearsal))
        return sum((each.taken for each in found), Counter()), sum((each.still for each in found), Counter())

    def remodel(self, choice: Choice = ANY, kind: str | None = None, *, is_rehearsal: bool = False) -> tuple[Counter[str], Counter[str]]:
        finish(self.tools())
        found = list(remodel(self.tools(), choice, kind, is_rehearsal=is_rehearsal))
        return sum((each.taken for each in found), Counter()), sum((each.still for each in found), Counter())

    def forget(self) -> None:
        with self.platform.state.begin() as connection:
            connection.exec_driver_sql(NO_ROWS)

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table as text, without the segment that it came in."""
        with duckdb.connect() as connection:
            found = {
                each.table: sorted(
                    str(row)
                    for row in connection.sql(
                        f"select * exclude (segment_id) from read_parquet('{self.lake.folder}/{each.table}/*/*.parquet', hive_partitioning = false)"
                    ).fetchall()
                )
                for each in EVENT_TYPES
            }
        return {table: rows for table, rows in found.items() if rows}

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.lake.folder)): path.read_bytes() for path in sorted(self.lake.folder.rglob("*")) if path.is_file()
        }

    def net(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Received, accepted and rejected by tenant and source, what was replayed counted once; read beside the platform's own sum."""
        found: dict[tuple[str, str], tuple[int, int, int]] = {}
        with self.platform.state.begin() as connection:
            query = "select tenant_id, source, sum(received) - sum(replayed), sum(accepted), sum(rejected) from ops.segment_counts group by 1, 2"
            for tenant, source, *numbers in connection.exec_driver_sql(query):
                if any(numbers):
                    found[tenant, source] = tuple(map(int, numbers))  # type: ignore[assignment]
        return found

    def held(self) -> Counter[tuple[Any, ...]]:
        """Tenant, source, reason, JSON path and moment of what is held; rejected counts must be just these."""
        with self.platform.state.begin() as connection:
            query = "select tenant_id, source, reason, split_part(place, ', ', 2), received_at from ops.quarantine where state = 'held'"
            return Counter(tuple(row) for row in connection.exec_driver_sql(query))

    def bodies(self) -> list[bytes]:
        """Every line that quarantine still has, opened."""
        with self.platform.state.begin() as connection:
            segments = connection.exec_driver_sql("select distinct segment_id from ops.quarantine where state = 'held'").scalars().all()
        return sorted(
            raw
            for each in segments
            for _, raw in self.platform.quarantine.bodies(each, {one.line for one in self.platform.quarantine.entries(each)})
        )

    def check(self) -> bool:
        """The verdict of the conservation check, and that of each (segment, tenant, source) just as many are held or expired as rejected."""
        function = checks.conservation.node_def.compute_fn.decorated_fn  # type: ignore[attr-defined]  # called without an instance of Dagster
        with self.platform.state.begin() as connection:
            query = "select segment_id, tenant_id, source, count(*) from ops.quarantine where state <> 'replayed' group by 1, 2, 3"
            kept = {(row[0], row[1], row[2]): row[3] for row in connection.exec_driver_sql(query)}
        rejected = {key: count.rejected for key, count in self.platform.ledger.counts().items() if count.rejected}
        return bool(function(self.warehouse, self.platform.ledger, None).passed) and rejected == kept
