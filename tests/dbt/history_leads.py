"""What happens to random leads: talks, turns, work, consent, changed and recycled numbers."""

import random
from datetime import datetime, timedelta
from typing import Any

from core.reference import LeadAlias, LeadLink, LeadPoint
from tests.dbt.history_base import CHANGE, START, History, step


def add_lead(made: History, tenant: str, lead: str, rng: random.Random) -> None:
    """One lead, and perhaps the next owner of its number."""
    at = START + timedelta(seconds=rng.randint(0, 30 * 86400))
    old, new = f"cp_{lead}_a", f"cp_{lead}_b"
    change = at + timedelta(seconds=rng.randint(0, 15 * 86400)) if rng.random() < 0.15 else None
    made.refer(
        LeadPoint(
            tenant_id=tenant,
            valid_from=at,
            valid_to=change,
            point_id=old,
            lead_id=lead,
            kind="phone",
        )
    )
    if change:
        made.refer(
            LeadPoint(
                tenant_id=tenant,
                valid_from=change,
                point_id=new,
                lead_id=lead,
                kind="phone",
            )
        )
        made.refer(
            LeadPoint(
                tenant_id=tenant,
                valid_from=change,
                point_id=old,
                lead_id=f"{lead}_next_owner",
                kind="phone",
            )
        )
        made.refer(
            LeadAlias(tenant_id=tenant, alias_id=f"{lead}_new", lead_id=lead),
            LeadLink(
                tenant_id=tenant, link_id=f"link_{lead}", lead_id=lead, one_id=lead, other_id=f"{lead}_new", kind="number_changed",
                source="whatsapp", strength="strong", evidence_count=1, first_at=change, last_at=change,
            ),
        )  # fmt: skip
        _talk(made, tenant, f"{lead}_next", lambda _: old, change + step(rng), rng)
    _talk(
        made,
        tenant,
        lead,
        lambda moment: new if change and moment >= change else old,
        at,
        rng,
    )


def add_silent_leads(made: History, tenant: str) -> None:
    """Leads that owe us an answer since the instant at which the waits of recovery change, and a microsecond to either side."""
    for micros in (-1, 0, 1):
        lead, at = f"{tenant}_silent_{micros}", CHANGE + timedelta(microseconds=micros)
        made.refer(LeadPoint(tenant_id=tenant, valid_from=START, valid_to=None, point_id=f"cp_{lead}", lead_id=lead, kind="phone"))
        for name, author, moment in (("asked", "lead", at - timedelta(hours=1)), ("told", "ai", at)):
            made.add(
                "messages", tenant, f"{name}:{lead}", moment, message_id=f"{name}:{lead}", contact_point_id=f"cp_{lead}", channel="whatsapp",
                channel_account_id="whatsapp_1", direction="inbound" if author == "lead" else "outbound", author_type=author,
                message_type="text",
            )  # fmt: skip


def _talk(
    made: History,
    tenant: str,
    name: str,
    point_at: Any,
    at: datetime,
    rng: random.Random,
) -> None:
    channel = rng.choices(("whatsapp", "instagram", "messenger", "gmail"), (85, 6, 6, 3))[0]
    accounts = [f"{channel}_1", f"{channel}_2"][: 1 if rng.random() < 0.85 else 2]
    for number in range(rng.randint(1, 30)):
        # Ids without order, so that ties between events of one instant fall either way.
        event_id = f"e{rng.getrandbits(40):010x}:{name}:{number}"
        point = point_at(at)
        chance = rng.random()
        if chance < 0.66:
            _message(made, tenant, event_id, at, point, channel, rng.choice(accounts), rng)
        elif chance < 0.82:
            _turn(made, tenant, event_id, at, point, channel, rng)
        elif chance < 0.95:
            kind = rng.choices(
                (
                    "assigned",
                    "unassigned",
                    "human_action",
                    "next_step_set",
                    "tier_overridden",
                    "resolved",
                    "won",
                    "lost",
                    "escalated",
                ),
                (6, 2, 4, 3, 1, 5, 1, 1, 1),
            )[0]
            made.add(
                "lead_events", tenant, event_id, at, kind=kind, contact_point_id=point,
                channel=rng.choice((None, channel)), person_id=_person(event_id) if kind in ("assigned", "human_action") else None,
                tier=rng.choice(("HOT", "WARM", "COLD")) if kind == "tier_overridden" else None,
            )  # fmt: skip
        elif chance < 0.99:
            kind = rng.choice(("opted_out", "opted_in", "opted_in", "blocked", "profile_named"))
            made.add(
                "contact_events",
                tenant,
                event_id,
                at,
                kind=kind,
                contact_point_id=point,
            )
        elif rng.random() < 0.3:
            made.add(
                "privacy_requests",
                tenant,
                event_id,
                at,
                kind="erasure",
                contact_point_id=point,
            )
        at += step(rng)


def _message(
    made: History,
    tenant: str,
    event_id: str,
    at: datetime,
    point: str,
    channel: str,
    account: str,
    rng: random.Random,
) -> None:
    author = rng.choices(("lead", "ai", "human", "automation"), (52, 26, 12, 10))[0]
    is_template = author == "automation" or (author != "lead" and rng.random() < 0.1)
    made.add(
        "messages", tenant, event_id, at, message_id=event_id, channel=channel, channel_account_id=account, contact_point_id=point,
        direction="inbound" if author == "lead" else "outbound", author_type=author,
        message_type="template" if is_template else rng.choices(("text", "edit", "revoke"), (90, 6, 4))[0] if author == "lead" else "text",
        template_name="come_back" if is_template else None,
        action_id=f"action {event_id}" if author == "automation" and rng.random() < 0.9 else None,
        person_id=_person(event_id) if author == "human" else None,
    )  # fmt: skip
    if author == "lead":
        return
    for status in rng.sample(("sent", "delivered", "read", "failed", "warning"), rng.randint(0, 3)):
        made.add(
            "message_statuses", tenant, f"{status}:{event_id}", at + timedelta(seconds=rng.randint(0, 99)), message_id=event_id,
            status=status, pricing_category=rng.choice((None, "utility")), pricing_type=("regular", "free_entry_point")[len(status) % 2],
            error_code=rng.choice((131047, 131026)) if status == "failed" else None,
        )  # fmt: skip


def _person(event_id: str) -> str:
    """Whose it is, by the event's own digits: no draw, so that all others stay what they were."""
    return f"p{int(event_id[1:11], 16) % 4}"


def _turn(
    made: History,
    tenant: str,
    event_id: str,
    at: datetime,
    point: str,
    channel: str,
    rng: random.Random,
) -> None:
    made.add(
        "ai_turns", tenant, event_id, at, contact_point_id=point, channel=channel,
        intent=rng.choice((None, "none", "support", "exploring", "comparing", "ready_to_buy", "ready_to_buy")),
        budget_minor=rng.choice((None, 0, 1, 249_999, 250_000, 499_999, 500_000, 900_000)),
        budget_currency=rng.choice(("INR", "INR", "INR", "USD", None)),
        timeline_days=rng.choice((None, 0, 7, 8, 30, 31, 90, 91)), objection=rng.choice((None, None, "none", "", 'too "dear"')),
        buying_signal=rng.choice((None, "asked_price", "asked_price")), risk=rng.choices(("none", "legal"), (30, 1))[0],
        confidence=rng.choice((0.3, 0.5, 0.7, 0.9)),
        verdict=rng.choices(("continue", "qualified", "disqualified", "escalate"), (9, 3, 1, 1))[0],
        asked_for_human=rng.random() < 0.03,
        next_action="offer_booking" if sum(map(ord, event_id)) % 3 == 0 else "ask",
    )  # fmt: skip
