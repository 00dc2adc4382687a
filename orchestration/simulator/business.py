"""The simulated tenants: their accounts, people, hours, prices, and the tenant file that registers them.

Here belongs what is set up before the first event. Not here: traffic, and what a tenant file may hold (`core.tenancy`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from orchestration.simulator.chance import chance
from orchestration.simulator.google import AUDIENCE, PUSHER, Google
from orchestration.simulator.hours import DAYS, Hours

RECOVERY_TEMPLATE = "recovery_nudge"
GIFT_DAYS = 2
_RATE_STEP = timedelta(days=4)  # the new rate card starts this long before the end, between two top-ups

DEBITS: tuple[tuple[str, str, str, int, int], ...] = (
    ("llm_input", "aria-small", "", 1000, 1),
    ("llm_output", "aria-small", "", 250, 1),
    ("llm_input", "aria-large", "", 400, 1),
    ("llm_output", "aria-large", "", 100, 1),
    ("message", "", "service", 1, 1),
    ("message", "", "marketing", 1, 4),
    ("message", "", "utility", 1, 2),
    ("booking", "", "", 1, 5),
    ("enrichment", "", "", 1, 1),
)
"""(kind, model, category, per_quantity, tokens); no two rows fit one use, and rounding is the same however it is done: where
more than one unit makes a step, the step costs one token."""


_OTHERS = (
    ("instagram", "instagram", "meta_app"),
    ("messenger", "messenger", "meta_app"),
    ("calendly", "calendly", "calendly"),
    ("sales", "gmail", "gmail"),
    ("support", "gmail", "gmail"),
)
"""Connections by their name, their source, and the name of the secret that signs for them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What distinguishes a tenant."""

    id: str
    name: str
    timezone: str
    region: str
    currency: str
    shifts: tuple[str, ...]
    weekly_closed: tuple[str, ...]
    typical_deal_major: int
    tokens_per_major: tuple[int, int]


PROFILES = (
    Profile("meridian_homes", "Meridian Homes", "Asia/Kolkata", "IN", "INR",
            ("09:30-13:00", "14:00-18:30"), ("sun",), 400_000, (2, 3)),
    Profile("northwind_academy", "Northwind Academy", "America/New_York", "US", "USD",
            ("09:00-17:30",), ("sat", "sun"), 4_000, (90, 100)),
    Profile("rheinsolar", "RheinSolar GmbH", "Europe/Berlin", "DE", "EUR",
            ("08:30-12:30", "13:15-17:00"), ("sat", "sun"), 16_000, (100, 90)),
    Profile("dunes_motors", "Dunes Motors", "Asia/Dubai", "AE", "AED",
            ("10:00-14:00", "16:00-21:00"), ("fri",), 90_000, (25, 25)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Business:
    """One simulated tenant with its accounts and secrets."""

    profile: Profile
    id: str
    index: int
    waba: str
    number_id: str
    display_number: str
    merchant: str
    workspace: str
    accounts: Mapping[str, str]
    """Account ids of Instagram and Messenger, the Calendly user, and Gmail's two mailboxes under their own names."""
    secrets: Mapping[str, str]
    week: Mapping[str, tuple[str, ...]]
    holidays: tuple[date, ...]
    hours: Hours
    people: tuple[str, ...]
    rate_step_at: datetime
    gift_at: datetime
    razorpay_rotated_at: datetime
    since: datetime = datetime(2024, 1, 1, tzinfo=UTC)

    @property
    def typical_deal_minor(self) -> int:
        """A usual sale, in the smallest unit."""
        return self.profile.typical_deal_major * 100

    @property
    def gmail_secret(self) -> str:
        """What signs Gmail's answers that we fetch ourselves."""
        return str(json.loads(self.secrets["gmail"])["secret"])

    @property
    def gift_ends_at(self) -> datetime:
        """When the first credit ends, the only one that does: its rate card is over half an hour after it."""
        return self.gift_at + timedelta(days=GIFT_DAYS)

    def local_date(self, moment: datetime) -> str:
        """The date at the tenant's place, in ISO 8601."""
        return moment.astimezone(ZoneInfo(self.profile.timezone)).date().isoformat()

    def rate_at(self, moment: datetime) -> int:
        """Tokens credited for each major unit at that moment."""
        return self.profile.tokens_per_major[0 if moment < self.rate_step_at else 1]


def make_business(index: int, seed: int, start: datetime, end: datetime) -> Business:
    """The `index`-th tenant of a simulation.

    No day within three days of the end is a closed one, so that what is planted there is as clear on a Monday as on a Thursday.
    """
    profile = PROFILES[index % len(PROFILES)]
    rng = chance(seed, "business", index)
    zone = ZoneInfo(profile.timezone)
    near = {(end.astimezone(zone) + timedelta(days=step)).date() for step in (-3, -2, -1, 0, 1)}
    never_closed = {DAYS[day.weekday()] for day in near}
    week = {day: profile.shifts for day in DAYS if day not in profile.weekly_closed or day in never_closed}
    holidays = tuple(day for day in [(end.astimezone(zone) - timedelta(days=6)).date()] if end - start >= timedelta(days=10))
    tenant_id = profile.id if index < len(PROFILES) else f"{profile.id}_{index // len(PROFILES) + 1}"
    host = f"{tenant_id.replace('_', '-')}.example"
    return Business(
        profile=profile,
        id=tenant_id,
        index=index,
        waba=_digits(rng, 15),
        number_id=_digits(rng, 15),
        display_number=f"1555{_digits(rng, 7)}",
        merchant="acc_" + _letters(rng, 14),
        workspace=f"ws_{_letters(rng, 10).lower()}",
        secrets=_secrets(rng, google(seed)),
        accounts={
            "instagram": f"1784{_digits(rng, 13)}",
            "messenger": _digits(rng, 15),
            "calendly": f"{rng.getrandbits(64):016X}",
            "sales": f"sales@{host}",
            "support": f"support@{host}",
        },
        week=week,
        holidays=holidays,
        hours=Hours(profile.timezone, week, holidays, start - timedelta(days=2), end + timedelta(days=2)),
        people=("p_asha", "p_ben", "p_chen"),
        rate_step_at=end - _RATE_STEP,
        gift_at=start + timedelta(minutes=10),
        razorpay_rotated_at=end - timedelta(days=2),
    )


def _secrets(rng: Random, issuer: Google) -> dict[str, str]:
    """By name; what must be true of a push to a mailbox is JSON."""
    names = ("whatsapp_app", "whatsapp_token", "razorpay", "razorpay_old", "platform", "alerts", "meta_app", "calendly", "gmail_own")
    made = {name: f"{rng.getrandbits(160):040x}" for name in names}
    trust = {"audience": AUDIENCE, "email": PUSHER, "secret": made.pop("gmail_own"), "keys": [issuer.jwk()]}
    return made | {"gmail": json.dumps(trust)}


@cache
def google(seed: int) -> Google:
    """The issuer of a simulation's tokens; kept, for its key takes half a second to make."""
    return Google(chance(seed, "google"))


def _digits(rng: Random, count: int) -> str:
    return str(rng.randrange(10 ** (count - 1), 10**count))


def _letters(rng: Random, count: int) -> str:
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=count))


def write_tenants(
    out: Path, businesses: Sequence[Business], receiver_url: str | None, experiments: Mapping[str, list[dict[str, Any]]]
) -> Path:
    """Write `tenants.yaml` and the secrets (mode 0600) that it points to, and return the file's path; experiments come by tenant."""
    folder = out / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    for business in businesses:
        for name, value in business.secrets.items():
            write_secret(folder / f"{business.id}_{name}", value)
    path = out / "tenants.yaml"
    document = {
        "version": 1,
        "tenants": [tenant_entry(each, receiver_url) | {"experiments": experiments.get(each.id, [])} for each in businesses],
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    return path


def write_secret(path: Path, value: str) -> None:
    """Write a secret that only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value)


def tenant_entry(business: Business, receiver_url: str | None) -> dict[str, Any]:
    """One tenant as the tenant file writes it."""
    (old_rate, new_rate), profile = business.profile.tokens_per_major, business.profile
    since, step = _stamp(business.since), _stamp(business.rate_step_at)
    gift = _stamp(business.gift_at + timedelta(minutes=30))

    def secret(name: str) -> dict[str, str]:
        return {"file": f"secrets/{business.id}_{name}"}

    whatsapp = {"id": "whatsapp", "source": "whatsapp", "account_id": business.waba, "numbers": [business.number_id]}
    alerts = {"id": "alerts", "kind": "alerts", "url": f"{receiver_url}/hook/{business.id}", "secret": secret("alerts")}
    callback = alerts | {"id": "operating_system", "kind": "callback", "url": f"{receiver_url}/callback/{business.id}"}
    names = {"p_asha": ("Asha Rao", "manager"), "p_ben": ("Ben Ortiz", "operator"), "p_chen": ("Chen Wei", "operator")}
    return {
        "id": business.id,
        "name": profile.name,
        "timezone": profile.timezone,
        "default_region": profile.region,
        "currency": profile.currency,
        "connections": [
            whatsapp
            | {"verify_secrets": [secret("whatsapp_app")], "access_token": secret("whatsapp_token"), "valid_from": since},
            {"id": "razorpay", "source": "razorpay", "account_id": business.merchant,
             "verify_secrets": [secret("razorpay"), secret("razorpay_old")], "valid_from": since},
            {"id": "platform", "source": "platform", "account_id": business.workspace,
             "verify_secrets": [secret("platform")], "valid_from": since},
            *({"id": name, "source": source, "account_id": business.accounts[name], "verify_secrets": [secret(key)], "valid_from": since}
              for name, source, key in _OTHERS if name in business.accounts),
        ],
        "destinations": [alerts | {"valid_from": since}, callback | {"valid_from": since}] if receiver_url else [],
        "people": [
            {"id": each, "name": names[each][0], "email": f"{each[2:]}@{business.id.replace('_', '-')}.example",
             "role": names[each][1], "calendar": "main", "valid_from": since}
            for each in business.people
        ],
        "calendars": [
            {"id": "main", "timezone": profile.timezone, "week": {day: list(shifts) for day, shifts in business.week.items()},
             "holidays": list(business.holidays), "valid_from": since}
        ],
        "sla_policies": [
            {"id": "first_hot", "tier": "HOT", "metric": "first_response", "target_seconds": 300, "calendar": "main",
             "is_bot_reply_counted": False, "valid_from": since},
            {"id": "first_any", "tier": "ANY", "metric": "first_response", "target_seconds": 1800, "calendar": "main",
             "is_bot_reply_counted": True, "valid_from": since},
            {"id": "next_any", "metric": "next_response", "target_seconds": 1800, "calendar": "main", "is_bot_reply_counted": True,
             "valid_from": since},
            {"id": "solved_any", "metric": "resolution", "target_seconds": 3600, "calendar": "main", "is_bot_reply_counted": True,
             "valid_from": since},
            {"id": "person_any", "metric": "hand_over", "target_seconds": 14400, "calendar": "main", "valid_from": since},
        ],
        "credit_rates": [
            {"currency": profile.currency, "tokens_per_major": old_rate, "expires_after_days": GIFT_DAYS, "valid_from": since,
             "valid_to": gift},
            {"currency": profile.currency, "tokens_per_major": old_rate, "valid_from": gift, "valid_to": step},
            {"currency": profile.currency, "tokens_per_major": new_rate, "valid_from": step},
        ],
        "debit_rates": [
            {"kind": kind, "model": model, "channel": "", "category": category, "per_quantity": per, "tokens": tokens,
             "valid_from": since}
            for kind, model, category, per, tokens in DEBITS
        ],
        "scoring_weights": [{"typical_deal_minor": business.typical_deal_minor, "valid_from": since}],
        "policies": [{"calendar": "main", "recovery_template": RECOVERY_TEMPLATE, "valid_from": since}],
    }  # fmt: skip


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
