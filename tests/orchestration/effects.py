"""What tests of deciding and delivering share: one tenant, published marts, and every adapter between them and a local receiver.

Here belongs setting a scene with real adapters. Not here: what is expected of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx

from assets.delivery import Delivered, decide, deliver
from core.actions import Action, key_of
from core.events import Point
from orchestration.receiver import Receiver
from orchestration.resources.clock import FixedClock
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import LEASE, PostgresOutbox
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.serving import PostgresPublisher
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse import Warehouse

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NUMBER = "106540352242922"
SECRETS = {"APP": "app-secret", "TOKEN": "whatsapp-token", "FEED": "feed-secret", "HOOK": "hook-secret"}

MARTS = {
    "act_requests": "action_id text, tenant_id text, lead_id text, point_id text, account_id text, rule text, kind text, channel text, "
    "template_name text, subject text, trigger text, details text, due_at timestamptz, expires_at timestamptz",
    "dim_contact_points": "tenant_id text, contact_point_id text, lead_id text, kind text, valid_from_at timestamptz, "
    "valid_to_at timestamptz",
    "dim_leads": "tenant_id text, lead_id text, is_opted_out boolean, is_erased boolean, score bigint",
    "act_receipts": "tenant_id text, action_id text, status text, told_at timestamptz",
    "act_suspensions": "tenant_id text, account_id text, channel text, scope text, subject text, reason text, since_at timestamptz, "
    "until_at timestamptz",
    "fct_messaging_windows": "tenant_id text, contact_point_id text, channel_account_id text, channel text, kind text, "
    "opened_at timestamptz, expires_at timestamptz",
    "fct_token_balances": "tenant_id text, is_current boolean, balance_tokens bigint, last_top_up_tokens bigint",
}
"""The marts that the gate and the sensors read, with the columns that they read."""


FAST = ", ".join(f"{{ channel: {channel}, per_second: 10000, burst: 10000 }}" for channel in ("whatsapp", "webhook", "callback"))
"""Rates that hold nobody up: tests of rates bring their own."""


def tenants_file(
    folder: Path, tenant: str, receiver_url: str, rates: str = FAST, more: str = "", destinations: str = "", connections: str = ""
) -> Path:
    """A tenant with a WhatsApp number, a platform feed and a signed hook; `more` and `destinations` are YAML of more."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{tenant}.yaml"
    path.write_text(
        f"""
version: 1
tenants:
  - id: {tenant}
    name: {tenant}
    timezone: Asia/Kolkata
    default_region: IN
    currency: INR
    connections:
      - id: whatsapp_main
        source: whatsapp
        account_id: "{tenant}-waba"
        numbers: ["{tenant}-{NUMBER}"]
        verify_secrets: [{{ env: APP }}]
        access_token: {{ env: TOKEN }}
        valid_from: 2026-01-01T00:00:00Z
      - id: platform
        source: platform
        account_id: {tenant}
        verify_secrets: [{{ env: FEED }}]
        valid_from: 2026-01-01T00:00:00Z
{connections}    destinations:
      - id: hook
        kind: alerts
        url: {receiver_url}/hook/{tenant}
        secret: {{ env: HOOK }}
        valid_from: 2026-01-01T00:00:00Z
{destinations}    calendars: [{{ id: office, timezone: Asia/Kolkata, week: {{ mon: ["09:00-18:00"] }}, valid_from: 2026-01-01T00:00:00Z }}]
    credit_rates: [{{ currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z }}]
    policies: [{{ calendar: office, valid_from: 2026-01-01T00:00:00Z }}]
    scoring_weights: [{{ typical_deal_minor: 500000000, valid_from: 2026-01-01T00:00:00Z }}]
    sending:
      - rates: [{rates}]
        contact_gap_seconds: 0
        valid_from: 2026-01-01T00:00:00Z
{more}"""
    )
    return path


@dataclass
class Scene:
    """One tenant of one installation, and all adapters around its outbox."""

    tenant: str
    folder: Path
    inbox: Path
    state: State
    vault: Vault
    receiver: Receiver
    client: httpx.Client
    now: datetime = NOW
    lease: timedelta = LEASE
    rates: str = FAST
    more: str = ""
    destinations: str = ""
    connections: str = ""

    def __post_init__(self) -> None:
        """Apply the tenant and publish empty marts."""
        path = tenants_file(
            self.folder,
            self.tenant,
            self.receiver.url,
            self.rates,
            self.more,
            self.destinations.replace("URL", self.receiver.url),
            self.connections,
        )
        apply_file(path, self.state, self.vault, self.now, SECRETS)
        self.publish([])

    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.state, self.lease)

    @property
    def lookup(self) -> VaultLookup:
        return VaultLookup(self.state, self.vault, FixedClock(self.now))

    def receipts(self) -> InboxReceipts:
        return InboxReceipts(self.inbox, self.lookup)

    def point_of(self, phone: str) -> str:
        """Its surrogate."""
        point = Point("phone", phone)
        return self.vault.points(self.tenant, [point])[point].point_id

    def template(self, number: int, **changes: object) -> Action:
        """A wanted template message to lead `number`."""
        own: dict[str, object] = {"account_id": f"{self.tenant}-{NUMBER}", "template_name": "recovery_1"}
        point_id = changes.get("point_id") or self.point_of(f"+9198765{number:05d}")
        return self._action(number, "cold_recovery", "send_template", "whatsapp", own | changes | {"point_id": point_id})

    def alert(self, number: int, **changes: object) -> Action:
        """A wanted alert about lead `number`."""
        return self._action(number, "lead_leak", "notify", "webhook", changes)

    def _action(self, number: int, rule: str, kind: str, channel: str, changes: dict[str, object]) -> Action:
        due = self.now - timedelta(minutes=1)
        values: dict[str, object] = {
            "action_id": key_of(self.tenant, rule, str(number)), "tenant_id": self.tenant, "rule": rule, "kind": kind,
            "channel": channel, "lead_id": f"l{number}", "point_id": None, "account_id": None, "template_name": None,
            "subject": f"l{number}", "trigger": f"e{number}", "details": '{"attempt": 1}', "due_at": due,
            "expires_at": due + timedelta(days=1),
        }  # fmt: skip
        return Action(**(values | changes))  # type: ignore[arg-type]

    def publish(
        self, actions: Iterable[Action], *, opted_out: Iterable[str] = (), erased: Iterable[str] = (), moved: Iterable[str] = ()
    ) -> None:
        """Publish these requests with their leads, each holding its point, save those of `moved`."""
        actions = list(actions)
        path = self.folder / "warehouse.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema if not exists marts")
            for mart, columns in MARTS.items():
                connection.execute(f"create or replace table marts.{mart} ({columns})")
            for each in actions:
                connection.execute(
                    f"insert into marts.act_requests ({', '.join(Action._fields)}) values ({', '.join('?' * len(Action._fields))})",
                    list(each),
                )
            for lead in {each.lead_id for each in actions if each.lead_id}:
                leads = [self.tenant, lead, lead in opted_out, lead in erased, 50]
                connection.execute("insert into marts.dim_leads values (?, ?, ?, ?, ?)", leads)
            for lead, point in {(each.lead_id, each.point_id) for each in actions if each.point_id}:
                held = [self.tenant, point, lead, self.now - timedelta(days=9), self.now if lead in moved else None]
                connection.execute("insert into marts.dim_contact_points values (?, ?, ?, 'phone', ?, ?)", held)
        publisher = PostgresPublisher(self.state, Warehouse(path, self.folder, self.folder), FixedClock(self.now))
        publisher.publish(list(MARTS), self.now)

    def deliver(self, worker: str = "w1") -> Delivered:
        """One round with the real ways out."""
        ways = senders(SenderTools(self.client, self.lookup, self.receiver.url))
        return deliver(self.outbox, ways, self.receipts(), FixedClock(self.now), worker)

    def go(self, *actions: Action, **standing: Iterable[str]) -> Delivered:
        """Publish, decide and deliver."""
        self.publish(actions, **standing)
        for rule in {each.rule for each in actions}:
            decide(self.outbox, rule, "", FixedClock(self.now))
        return self.deliver()

    def rows(self, columns: str, table: str = "outbox") -> list[tuple]:  # type: ignore[type-arg]
        """Rows of the tenant, oldest first."""
        order = "due_at, action_id" if table == "outbox" else "started_at, action_id"
        with self.state.psycopg() as connection:
            query = f"select {columns} from ops.{table} where tenant_id = %s order by {order}"
            return connection.execute(query, (self.tenant,)).fetchall()  # type: ignore[arg-type]

    def states(self) -> list[str]:
        """Of every action, oldest first."""
        return [row[0] for row in self.rows("state")]
