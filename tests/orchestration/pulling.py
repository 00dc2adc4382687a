"""A tenant whose Gmail, Razorpay and Calendly accounts may be asked, and what was handed in for it.

Here belongs what the tests of pulling share. Not here: the vendors (`vendors`), what must be true.
"""

import base64
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.events import Event
from core.intake import Accepted, Envelope, Rejected, read_line, take
from orchestration.resources.clock import FixedClock
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.pull.http import Passage
from orchestration.resources.pull.vendors import VendorPull
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from tests.orchestration.vendors import Vendors, basic

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TOPIC = "projects/asha/topics/gmail"
KEY = "rzp_live_k:keysecret"

_TENANT = """\
version: 1
tenants:
  - id: {tenant}
    name: Small
    timezone: UTC
    default_region: IN
    currency: INR
    connections:
      - {{id: mail, source: gmail, account_id: {mailbox}, verify_secrets: [{{env: TRUST}}], access_token: {{env: GOOGLE}},
         watch_topic: {topic}, valid_from: 2026-01-01T00:00:00Z}}
      - {{id: pay, source: razorpay, account_id: {merchant}, verify_secrets: [{{env: RZP}}], access_token: {{env: RZP_KEY}}, valid_from: 2026-01-01T00:00:00Z}}
      - {{id: cal, source: calendly, account_id: {calendar}, verify_secrets: [{{env: CAL}}], access_token: {{env: CAL_TOKEN}}, valid_from: 2026-01-01T00:00:00Z}}
    calendars:
      - {{id: office, timezone: UTC, week: {{mon: ["09:00-18:00"]}}, valid_from: 2026-01-01T00:00:00Z}}
    policies:
      - {{calendar: office, valid_from: 2026-01-01T00:00:00Z}}
    scoring_weights:
      - {{typical_deal_minor: 100, valid_from: 2026-01-01T00:00:00Z}}
    credit_rates:
      - {{currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z}}
"""


@dataclass
class Moments:
    """Time that passes only by sleeping: a clock, and the seconds that retries and rates count."""

    moment: datetime = NOW
    slept: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """The moment."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""
        with self.lock:
            self.slept.append(seconds)
            self.moment += timedelta(seconds=seconds)

    def passage(self) -> Passage:
        """For whoever counts seconds."""
        return Passage(lambda: self.moment.timestamp(), self.sleep)  # noqa: PLW0108 — the moment changes


@dataclass
class Pulling:
    """One tenant, its vendors and its inbox."""

    vendors: Vendors
    settings: Settings
    state: State
    vault: Vault
    client: httpx.Client
    folder: Path
    time: Moments = field(default_factory=Moments)
    name: str = field(default_factory=lambda: f"p{uuid.uuid4().hex[:10]}")

    @property
    def mailbox(self) -> str:
        """The tenant's address."""
        return f"sales@{self.name}.example"

    @property
    def merchant(self) -> str:
        """The tenant's Razorpay account."""
        return f"acc_{self.name}"

    @property
    def calendar(self) -> str:
        """The tenant's Calendly organization."""
        return f"ORG{self.name}"

    def connect(self, **secrets: str | None) -> None:
        """Apply the tenant; a secret given as None takes its connection away."""
        google = {"type": "authorized_user", "client_id": "id", "client_secret": "client secret", "refresh_token": f"1//{self.name}"}
        self.vendors.gmail.refresh_tokens.setdefault(f"1//{self.name}", self.mailbox)
        self.vendors.razorpay.keys.add(basic(KEY))
        self.vendors.calendly.organization = self.calendar
        env: dict[str, str | None] = {
            "TRUST": json.dumps({"secret": "our own"}), "GOOGLE": json.dumps(google), "RZP": "webhook secret", "RZP_KEY": KEY,
            "CAL": "signing key", "CAL_TOKEN": self.vendors.calendly.token,
        }  # fmt: skip
        env |= secrets
        names = {"tenant": self.name, "mailbox": self.mailbox, "topic": TOPIC, "merchant": self.merchant, "calendar": self.calendar}
        text = _TENANT.format(**names)
        for missing in (name for name, value in env.items() if value is None):
            start = text.rindex("      - {", 0, text.index(missing))
            text = text[:start] + text[text.index("}\n", text.index(missing)) + 2 :]
        path = self.folder / "tenants.yaml"
        path.write_text(text, encoding="utf-8")
        apply_file(path, self.state, self.vault, NOW, {name: value for name, value in env.items() if value is not None})

    def pull(self, **changes: Any) -> VendorPull:
        """The port over these vendors, made anew: nothing is remembered but what is stored."""
        url = self.vendors.url
        settings = replace(
            self.settings, gmail_url=url, google_token_url=f"{url}/token", razorpay_url=f"{url}/v1", calendly_url=url, pull_per_second=100.0
        )
        self.vendors.gmail.token_url = f"{url}/token"
        made = VendorPull(settings, self.state, self.vault, self.client, self.time, TerminalProgress(quiet=True), self.time.passage())
        return replace(made, **changes)

    def poll(self) -> Any:
        """Look at the mailbox once."""
        pull = self.pull()
        return pull.poll(next(each for each in pull.mailboxes() if each.tenant_id == self.name))

    def segments(self) -> list[Path]:
        """What was handed in."""
        return sorted(self.settings.inbox.glob("*.ndjson"))

    def taken(self) -> list[Accepted | Rejected]:
        """All that lies in the inbox, through the door of ingestion: account, signature, decoder."""
        directory = PostgresLedger(self.state, self.vault, FixedClock(NOW)).directory()
        found: list[Accepted | Rejected] = []
        for path in self.segments():
            for line in path.read_bytes().splitlines():
                envelope = read_line(line)
                assert isinstance(envelope, Envelope)
                found += take(envelope, directory)
        return found

    def events(self) -> list[Event]:
        """All events; nothing may be refused."""
        taken = self.taken()
        assert [each for each in taken if isinstance(each, Rejected)] == []
        return [each.event for each in taken if isinstance(each, Accepted)]

    def ids(self, table: str) -> list[str]:
        """Ids of the events of a table, as handed in."""
        return [each.event_id for each in self.events() if each.table == table]

    def clear(self) -> None:
        """Empty the inbox."""
        for path in (*self.settings.inbox.glob("*.ndjson*"), *self.settings.inbox.glob(".collector-*")):
            path.unlink()


def b64(text: str) -> str:
    """As Gmail writes a part."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def mail(number: int, at: datetime = NOW, labels: Sequence[str] = ("INBOX",), text: str | None = None, **part: Any) -> dict[str, Any]:
    """A mail of somebody's."""
    headers = [("From", f"Asha <asha{number}@example.com>"), ("To", "sales@x.example"), ("Message-ID", f"<{number}@example.com>")]
    body = {"size": 5, "data": b64(text or f"Mail {number}")}
    return {
        "id": f"m{number}", "threadId": f"m{number}", "labelIds": list(labels), "snippet": "short",
        "internalDate": str(int(at.timestamp() * 1000)), "sizeEstimate": 500, "historyId": "1",
        "payload": {
            "mimeType": "multipart/alternative", "filename": "", "headers": [{"name": n, "value": v} for n, v in headers],
            "body": {"size": 0}, "parts": [{"mimeType": "text/plain", "filename": "", "headers": [], "body": body} | part],
        },
    }  # fmt: skip


def payment(number: int, at: datetime, status: str = "captured", amount: int = 50_000) -> dict[str, Any]:
    """A payment as Razorpay lists it."""
    return {
        "id": f"pay_{number:06d}", "entity": "payment", "amount": amount, "currency": "INR", "status": status, "order_id": f"order_{number}",
        "method": "upi", "amount_refunded": 0, "captured": status == "captured", "email": "void@razorpay.com", "contact": "+919812345678",
        "notes": [], "fee": 1180, "tax": 180, "created_at": int(at.timestamp()),
    }  # fmt: skip


def refund(number: int, at: datetime, amount: int = 10_000) -> dict[str, Any]:
    """A refund as Razorpay lists it."""
    return {
        "id": f"rfnd_{number:06d}", "entity": "refund", "amount": amount, "currency": "INR", "payment_id": f"pay_{number:06d}", "notes": [],
        "status": "processed", "speed_processed": "normal", "created_at": int(at.timestamp()),
    }  # fmt: skip


def settlement(number: int, at: datetime) -> dict[str, Any]:
    """A settlement as Razorpay lists it."""
    return {
        "id": f"setl_{number:06d}", "entity": "settlement", "amount": 990_000, "status": "processed", "fees": 10_000, "tax": 1_800,
        "utr": "1568176960vxp0rj", "created_at": int(at.timestamp()),
    }  # fmt: skip


def meeting(number: int, at: datetime, guests: int, **changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A meeting and its invitees as Calendly lists them."""
    uri = f"https://api.calendly.com/scheduled_events/E{number}"
    event = {
        "uri": uri, "name": "Call", "status": "active", "start_time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "end_time": f"{at + timedelta(minutes=30):%Y-%m-%dT%H:%M:%S.%fZ}", "event_type": "https://api.calendly.com/event_types/T1",
        "location": {"type": "zoom", "join_url": "https://z.us/1", "data": {"password": "hunter2"}},
    }  # fmt: skip
    made = f"{at - timedelta(days=3):%Y-%m-%dT%H:%M:%S.%fZ}"
    invitees = [
        {
            "uri": f"{uri}/invitees/I{guest}", "event": uri, "email": f"guest{number}_{guest}@example.com", "name": None, "status": "active",
            "timezone": "Asia/Kolkata", "created_at": made, "updated_at": made, "rescheduled": False, "old_invitee": None,
            "new_invitee": None, "questions_and_answers": [], "tracking": {}, "no_show": None, "text_reminder_number": None,
        } | changes
        for guest in range(guests)
    ]  # fmt: skip
    return event, invitees


def service_account() -> tuple[str, rsa.RSAPublicKey]:
    """The JSON that Google gives for one, and the key that checks its claims."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    given = {"type": "service_account", "client_email": "pull@asha.iam.gserviceaccount.com", "private_key": pem, "private_key_id": "k1"}
    return json.dumps(given | {"token_uri": "https://evil.example/token"}), key.public_key()
