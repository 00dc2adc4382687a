"""Random histories of leads, payments and uses over several tenants: the same seed gives the same rows.

Here belongs what may happen, with many instants placed exactly on a limit. Not here: what should follow (`tests.oracles`).
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.business_time import Calendar, intervals, parse_shift
from core.reference import (
    CreditRate,
    DebitRate,
    LeadPoint,
    Policy,
    RecoveryStep,
    ScoringWeights,
    Tenant,
    TokenThreshold,
)
from tests.dbt.warehouse import lake_row

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CHANGE = datetime(2026, 3, 20, tzinfo=UTC)
AS_OF = datetime(2026, 4, 20, 12, 0, tzinfo=UTC)
ZONES = ("Asia/Kolkata", "America/New_York", "Europe/Berlin", "UTC")
_MICRO = timedelta(microseconds=1)
_EXACT = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        0,
        300,
        900,
        1800,
        3600,
        7200,
        86400,
        172800,
        259200,
        604800,
        79200,
        600,
        1209600,
    )
)


@dataclass
class History:
    """Rows by table, as the lake and the reference hold them; lake rows each once."""

    lake: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    reference: dict[str, list[Any]] = field(default_factory=dict)

    def add(
        self,
        table: str,
        tenant_id: str,
        event_id: str,
        occurred_at: datetime,
        **fields: Any,
    ) -> None:
        """One event."""
        self.lake.setdefault(table, []).append(
            lake_row(table, tenant_id, event_id, occurred_at, **fields)
        )

    def refer(self, *rows: Any) -> None:
        """Reference rows."""
        for row in rows:
            self.reference.setdefault(row.table, []).append(row)

    def known(self, table: str, as_of: datetime) -> list[dict[str, Any]]:
        """What had happened by then."""
        return [row for row in self.lake.get(table, []) if row["occurred_at"] <= as_of]


def history(seed: int, leads: int) -> History:
    """All tenants, each with so many leads."""
    made = History()
    for number, zone in enumerate(ZONES):
        tenant = f"tenant_{number}"
        rng = random.Random(f"{seed}:{tenant}")
        _reference(made, tenant, zone, rng)
        for lead in range(leads):
            _lead(made, tenant, f"{tenant}_lead_{lead}", rng)
        _tokens(made, tenant, rng)
    return made


def told(made: History, seed: int) -> dict[str, list[Any]]:
    """As the platform receives it: some events twice, later, in another segment; in no order."""
    rng = random.Random(f"told:{seed}")
    rows: dict[str, list[Any]] = {
        name: list(kept) for name, kept in made.reference.items()
    }
    for table, events in made.lake.items():
        copies = [
            row
            | {
                "received_at": row["received_at"]
                + timedelta(seconds=rng.randint(1, 9)),
                "segment_id": "later",
                "body_hash": "later",
            }
            for row in events
            if rng.random() < 0.15
        ]
        rows[table] = events + copies
        rng.shuffle(rows[table])
    return rows


def _reference(made: History, tenant: str, zone: str, rng: random.Random) -> None:
    early, late = START - timedelta(days=30), CHANGE
    made.refer(
        Tenant(tenant_id=tenant, timezone=zone, default_region="IN", currency="INR")
    )
    week = tuple(
        (parse_shift("09:00-13:00"), parse_shift("14:00-18:30")) if day < 5 else ()
        for day in range(6)
    ) + ((parse_shift("22:00-06:00"),),)
    calendar = Calendar(
        calendar_id="office",
        timezone=zone,
        week=week,
        holidays=frozenset({date(2026, 3, 18)}),
        valid_from=early,
    )
    made.refer(*intervals(tenant, [calendar], date(2026, 2, 1), date(2026, 6, 1)))
    for valid_from, valid_to, gap in ((early, late, 259200), (late, None, 172800)):
        made.refer(
            Policy(
                tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, calendar_id="office", conversation_gap_seconds=gap,
                no_reply_business_seconds=rng.choice((900, 1800)), hot_unassigned_seconds=900, assigned_idle_business_seconds=14400,
                next_step_seconds=86400, window_closing_seconds=7200, max_ai_turns=6, low_confidence=0.5,
                recovery_template="come_back", recovery_expires_seconds=86400,
            ),
            ScoringWeights(
                tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, intent_points=30, budget_points=20, timeline_points=20,
                engagement_points=rng.choice((20, 19)), signal_points=10, hot_at=rng.choice((60, 70)), warm_at=40, typical_deal_minor=500_000,
            ),
            CreditRate(tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, currency="INR", tokens_per_major=rng.choice((7, 10))),
        )  # fmt: skip
    made.refer(
        *(
            RecoveryStep(
                tenant_id=tenant, valid_from=early, attempt=attempt, wait_seconds=wait
            )
            for attempt, wait in ((1, 86400), (2, 259200), (3, 604800))
        ),
        *(
            TokenThreshold(
                tenant_id=tenant, valid_from=early, percent=percent, action=action
            )
            for percent, action in ((20, "alert"), (10, "top_up_link"), (0, "pause"))
        ),
    )
    for kind, model, channel, category, per, tokens in (
        ("llm_input", "", "", "", 1000, 3), ("llm_input", "large", "", "", 1000, 11), ("llm_output", "", "", "", 700, 5),
        ("message", "", "", "", 1, 1), ("message", "", "whatsapp", "", 1, 2), ("message", "", "", "marketing", 1, 4),
        ("message", "", "whatsapp", "marketing", 1, 6),
    ):  # fmt: skip
        made.refer(
            DebitRate(
                tenant_id=tenant, valid_from=early, kind=kind, model=model, channel=channel, category=category,
                per_quantity=per, tokens=tokens,
            )
        )  # fmt: skip


def _step(rng: random.Random) -> timedelta:
    chance = rng.random()
    if chance < 0.35:
        return timedelta(seconds=rng.randint(0, 900))
    if chance < 0.6:
        return timedelta(microseconds=rng.randint(0, 6 * 3600 * 10**6))
    if chance < 0.75:
        return timedelta(seconds=rng.randint(3600, 5 * 86400))
    return max(
        rng.choice(_EXACT) + rng.choice((-_MICRO, timedelta(), timedelta(), _MICRO)),
        timedelta(),
    )


def _lead(made: History, tenant: str, lead: str, rng: random.Random) -> None:
    at = START + timedelta(seconds=rng.randint(0, 30 * 86400))
    old, new = f"cp_{lead}_a", f"cp_{lead}_b"
    change = (
        at + timedelta(seconds=rng.randint(0, 15 * 86400))
        if rng.random() < 0.15
        else None
    )
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
        _talk(made, tenant, f"{lead}_next", lambda _: old, change + _step(rng), rng)
    _talk(
        made,
        tenant,
        lead,
        lambda moment: new if change and moment >= change else old,
        at,
        rng,
    )


def _talk(
    made: History,
    tenant: str,
    name: str,
    point_at: Any,
    at: datetime,
    rng: random.Random,
) -> None:
    channel = "instagram" if rng.random() < 0.1 else "whatsapp"
    accounts = [f"{channel}_1", f"{channel}_2"][: 1 if rng.random() < 0.85 else 2]
    for number in range(rng.randint(1, 30)):
        # Ids without order, so that ties between events of one instant fall either way.
        event_id = f"e{rng.getrandbits(40):010x}:{name}:{number}"
        point = point_at(at)
        chance = rng.random()
        if chance < 0.66:
            _message(
                made, tenant, event_id, at, point, channel, rng.choice(accounts), rng
            )
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
                channel=rng.choice((None, channel)), person_id="p1" if kind == "assigned" else None,
                tier=rng.choice(("HOT", "WARM", "COLD")) if kind == "tier_overridden" else None,
            )  # fmt: skip
        elif chance < 0.99:
            kind = rng.choice(
                ("opted_out", "opted_in", "opted_in", "blocked", "profile_named")
            )
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
        at += _step(rng)


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
        direction="inbound" if author == "lead" else "outbound", author_type=author, message_type="template" if is_template else "text",
        template_name="come_back" if is_template else None,
        action_id=f"action {event_id}" if author == "automation" and rng.random() < 0.9 else None,
    )  # fmt: skip
    if author == "lead":
        return
    for status in rng.sample(
        ("sent", "delivered", "read", "failed", "warning"), rng.randint(0, 3)
    ):
        made.add(
            "message_statuses", tenant, f"{status}:{event_id}", at + timedelta(seconds=rng.randint(0, 99)), message_id=event_id,
            status=status, pricing_category=rng.choice((None, "utility")),
            error_code=rng.choice((131047, 131026)) if status == "failed" else None,
        )  # fmt: skip


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
        confidence=rng.choice((0.3, 0.5, 0.7, 0.9)), verdict=rng.choices(("continue", "qualified", "disqualified", "escalate"), (9, 3, 1, 1))[0],
        asked_for_human=rng.random() < 0.03,
    )  # fmt: skip


def _tokens(made: History, tenant: str, rng: random.Random) -> None:
    for number in range(40):
        at = START + timedelta(seconds=rng.randint(0, 45 * 86400))
        payment, amount = (
            f"pay_{number}",
            rng.choice((99, 100, 33_333, 100_000, 250_001)),
        )
        currency = "INR" if rng.random() < 0.93 else "EUR"
        for kind in rng.sample(
            ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid"),
            rng.randint(1, 3),
        ):
            made.add(
                "payments", tenant, f"{kind}:{payment}", at + timedelta(seconds=rng.randint(0, 60)), kind=kind, payment_id=payment,
                amount_minor=amount, currency=currency, captured_at=at if rng.random() < 0.5 else None,
            )  # fmt: skip
        left = amount
        for part in range(rng.choice((0, 0, 1, 2, 3))):
            refunded = left if rng.random() < 0.4 else rng.randint(1, max(left, 1))
            left -= refunded
            if refunded:
                made.add(
                    "payments", tenant, f"refund:{payment}:{part}", at + _step(rng), kind="refund.processed", payment_id=payment,
                    refund_id=f"rfnd_{number}_{part}", amount_minor=refunded, currency=currency,
                )  # fmt: skip
        for dispute in range(rng.choice((0, 0, 0, 1, 2))):
            disputed = rng.choice((amount, amount // 2 + 1))
            begun = at + _step(rng)
            kinds = [("created", begun)] if rng.random() < 0.95 else []
            if rng.random() < 0.7:
                kinds.append(
                    (
                        rng.choice(("won", "lost")),
                        begun
                        + rng.choice(
                            (timedelta(), timedelta(days=3), -timedelta(seconds=1))
                        ),
                    )
                )
            for kind, moment in kinds:
                made.add(
                    "payments", tenant, f"{kind}:{payment}:{dispute}", moment, kind=f"payment.dispute.{kind}", payment_id=payment,
                    dispute_id=f"disp_{number}_{dispute}", amount_minor=disputed, currency=currency,
                )  # fmt: skip
    for number in range(300):
        at = START + timedelta(seconds=rng.randint(0, 50 * 86400))
        kind = rng.choice(("llm_input", "llm_output", "message", "message", "booking"))
        made.add(
            "token_usage", tenant, f"use_{number}", at, kind=kind,
            quantity=rng.randint(0, 400) if kind == "message" else rng.choice((0, 1, 700, 701, 12_345_678)), model=rng.choice((None, "large", "small")),
            channel=rng.choice((None, "whatsapp", "instagram")), category=rng.choice((None, "marketing", "utility")),
        )  # fmt: skip
    # A payment event without a payment, and changes of one that was never credited.
    made.add(
        "payments",
        tenant,
        "orphan",
        START,
        kind="payment.captured",
        amount_minor=1,
        currency="INR",
    )
    made.add(
        "payments",
        tenant,
        "lone refund",
        START,
        kind="refund.processed",
        payment_id="pay_x",
        refund_id="r",
        amount_minor=1,
        currency="INR",
    )
