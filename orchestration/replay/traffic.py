"""Dialogues as webhooks: the lead writes on WhatsApp, our side through the operating system, payments come from Razorpay.

Here belong invented phones and times and the signed bodies, in the shapes of the simulator. Not here: any one data set.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import yaml

from core.sources.platform import Contact, MessageSent
from orchestration.replay.dialogues import Dialogue
from orchestration.simulator.business import (
    Business,
    Profile,
    tenant_entry,
    write_secret,
)
from orchestration.simulator.chance import chance
from orchestration.simulator.hours import DAYS, Hours
from orchestration.simulator.people import phone
from orchestration.simulator.razorpay import Paid, entity_id
from orchestration.simulator.segments import Place, Segments
from orchestration.simulator.whatsapp import Who, envelope, message, text, wamid
from orchestration.simulator.wire import (
    Wire,
    meta_json,
    platform_wire,
    razorpay_wire,
    whatsapp_wire,
)

OPENER = "conversation_opener"
"""The template by which our side may write first: before the lead has written, free text is not allowed."""

_SINCE = datetime(2018, 1, 1, tzinfo=UTC)
_SECRETS = ("whatsapp_app", "whatsapp_token", "razorpay", "razorpay_old", "platform", "alerts")
_LINES_EACH = 5_000
_DELAY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay wrote."""

    tenant_id: str
    tenants_file: Path
    conversations: int
    messages: int
    inbound: int
    outbound: int
    payments: int
    paid_minor: int
    currency: str
    segments: int
    lines: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class _Sent:
    at: datetime
    wire: Wire


def write(tenant_id: str, dialogues: Sequence[Dialogue], inbox: Path, out_tenants: Path) -> Summary:
    """Write the tenants file, its secrets and the segments."""
    business = _business(tenant_id, _kept_secrets(tenant_id, out_tenants / "secrets"))
    tenants_file = out_tenants / "tenants.yaml"
    document = {"version": 1, "tenants": [tenant_entry(business, None)]}
    tenants_file.write_text(yaml.safe_dump(document, sort_keys=False, width=120), encoding="utf-8")
    first_at = min(each.started_at for each in dialogues)
    place = Place(inbox, inbox / f".{tenant_id}-spool", f"replay-{tenant_id}-")
    segments = Segments(place, chance(0, tenant_id, "segments"), first_at, _LINES_EACH, timedelta(days=7))
    last_at = first_at
    for index, dialogue in enumerate(dialogues):
        for sent in _webhooks(business, dialogue, index):
            last_at = max(last_at, sent.at)
            segments.add(sent.at + _DELAY, sent.wire.line(sent.at + _DELAY))
    segments.close()
    turns = [turn for dialogue in dialogues for turn in dialogue.turns]
    payments = [payment for dialogue in dialogues for payment in dialogue.payments]
    inbound = sum(turn.is_lead for turn in turns)
    return Summary(
        tenant_id=tenant_id,
        tenants_file=tenants_file,
        conversations=len(dialogues),
        messages=len(turns),
        inbound=inbound,
        outbound=len(turns) - inbound,
        payments=len(payments),
        paid_minor=sum(each.amount_minor for each in payments),
        currency=business.profile.currency,
        segments=segments.count,
        lines=segments.lines,
        first_at=first_at,
        last_at=last_at,
    )


def _webhooks(business: Business, dialogue: Dialogue, index: int) -> Iterator[_Sent]:
    """All webhooks of one dialogue. Turns follow each other by 15 to 75 seconds, payments come a minute after the last."""
    rng = chance(0, business.id, dialogue.dialogue_id)
    digits, at, has_lead_written = phone("US", index, 0), dialogue.started_at, False
    for number, turn in enumerate(dialogue.turns):
        if turn.is_lead:
            who = Who(f"Participant {index + 1}", digits, None)
            item = message(at, wamid(digits, rng, is_outbound=False), who, text(turn.text))
            raw = meta_json(envelope(business, [item]))
            yield _Sent(at, whatsapp_wire(raw, business.secrets["whatsapp_app"], rng))
        else:
            event = MessageSent(
                id=f"{dialogue.dialogue_id}:{number}",
                account_id=business.workspace,
                occurred_at=at,
                contact=Contact("phone", f"+{digits}"),
                channel="whatsapp",
                channel_account_id=business.number_id,
                message_id=wamid(digits, rng, is_outbound=True),
                author_type="human",
                person_id=business.people[0],
                message_type="text" if has_lead_written else "template",
                template_name=None if has_lead_written else OPENER,
                text=turn.text,
            )
            yield _Sent(at, platform_wire(msgspec.json.encode(event).decode(), business.secrets["platform"], rng))
        has_lead_written = has_lead_written or turn.is_lead
        at += timedelta(seconds=rng.randrange(15, 75))
    for payment in dialogue.payments:
        at += timedelta(seconds=60)
        contact = f"+{digits}" if payment.is_lead else None  # one of ours pays without a lead's number
        yield from _payment(business, payment.amount_minor, contact, at, rng)


def _payment(business: Business, amount_minor: int, contact: str | None, at: datetime, rng: Random) -> Iterator[_Sent]:
    paid = Paid(
        merchant=business.merchant,
        payment_id=entity_id("pay", rng),
        order_id=entity_id("order", rng),
        amount_minor=amount_minor,
        currency=business.profile.currency,
        email=None,
        contact=contact,
        created_at=at,
    )
    names = ["payment.captured", "order.paid"]
    rng.shuffle(names)
    for seconds, name in enumerate(names):
        moment = at + timedelta(seconds=seconds)
        event_id = f"evt_{rng.getrandbits(72):018x}"
        yield _Sent(moment, razorpay_wire(paid.event(name, moment, rng), business.secrets["razorpay"], event_id, rng))


def _kept_secrets(tenant_id: str, folder: Path) -> Mapping[str, str]:
    """Secrets of an earlier replay, or new ones. They are truly random: the tenant may live in an installation with real ones."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = {}
    for name in _SECRETS:
        path = folder / f"{tenant_id}_{name}"
        if not path.exists():
            write_secret(path, secrets.token_hex(20))
        found[name] = path.read_text(encoding="utf-8").strip()
    return found


def _business(tenant_id: str, kept: Mapping[str, str]) -> Business:
    shifts, title = ("09:00-17:00",), tenant_id.replace("_", " ").title()
    week = {day: shifts for day in DAYS if day not in {"sat", "sun"}}
    zone = "America/New_York"
    return Business(
        profile=Profile(tenant_id, title, zone, "US", "USD", shifts, ("sat", "sun"), 100, (100, 100)),
        id=tenant_id,
        index=0,
        waba="100000000000001",
        number_id="100000000000002",
        display_number="15550000001",
        merchant="acc_ReplayReplay01",
        workspace=f"ws_{tenant_id}",
        accounts={},
        secrets=kept,
        week=week,
        holidays=(),
        hours=Hours(zone, week, (), _SINCE, _SINCE),
        people=("p_asha", "p_ben", "p_chen"),
        rate_step_at=datetime(2019, 1, 1, tzinfo=UTC),
        gift_at=datetime(2018, 12, 1, tzinfo=UTC),
        razorpay_rotated_at=_SINCE,
        since=_SINCE,
    )
