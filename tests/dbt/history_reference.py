"""Dated reference rows of the random tenants: policies, weights and rates that change in the middle of the story."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from core.business_time import Calendar, intervals, parse_shift
from core.reference import (
    CreditRate,
    DebitRate,
    MessagePrice,
    Person,
    Policy,
    RecoveryStep,
    ScoringWeights,
    SlaPolicy,
    Tenant,
    TokenThreshold,
)
from tests.dbt.history_base import CHANGE, START, UNRULED, History


def add_reference(made: History, tenant: str, zone: str, rng: random.Random) -> None:
    """All reference rows of one tenant."""
    early, late = START - timedelta(days=30), CHANGE
    made.refer(Tenant(tenant_id=tenant, timezone=zone, default_region="IN", currency="INR"))
    office, night = (parse_shift("09:00-13:00"), parse_shift("14:00-18:30")), (parse_shift("22:00-06:00"),)
    week = (*[office] * 5, (), night)
    calendar = Calendar(
        calendar_id="office",
        timezone=zone,
        week=week,
        holidays=frozenset({date(2026, 3, 18)}),
        valid_from=early,
    )
    late_shift = Calendar(
        calendar_id="late", timezone=zone, week=((parse_shift("12:00-20:00"),),) * 7, holidays=frozenset(), valid_from=early
    )
    for each in (calendar, late_shift):
        made.refer(*intervals(tenant, [each], date(2026, 2, 1), date(2026, 6, 1)))
    add_people(made, tenant, early, late)
    add_promises(made, tenant, early, late)
    for valid_from, valid_to, gap in ((early, late, 259200), (late, None, 172800)):
        made.refer(*_with_hole(
            Policy(
                tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, calendar_id="office", conversation_gap_seconds=gap,
                no_reply_business_seconds=rng.choice((900, 1800)), hot_unassigned_seconds=900, assigned_idle_business_seconds=14400,
                next_step_seconds=86400, window_closing_seconds=7200, max_ai_turns=6, low_confidence=0.5,
                recovery_template="come_back", recovery_expires_seconds=86400,
            ),
            ScoringWeights(
                tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, intent_points=30, budget_points=20, timeline_points=20,
                engagement_points=rng.choice((20, 19)), signal_points=10, hot_at=rng.choice((60, 70)), warm_at=40,
                typical_deal_minor=500_000,
            ),
            CreditRate(
                tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, currency="INR", tokens_per_major=rng.choice((7, 10)),
                expires_after_days=None if tenant == "tenant_0" else 6,
            ),
        ))  # fmt: skip
    add_limits(made, tenant, early, late)
    for category, per, price, since, until in (("", 3, 10, early, late), ("utility", 100, 1150, early, None), ("", 1, 4, late, None)):
        if tenant == "tenant_1" or (tenant == "tenant_2" and category):
            made.refer(
                MessagePrice(
                    tenant_id=tenant, valid_from=since, valid_to=until, channel="whatsapp", category=category, price_minor=price,
                    per_messages=per,
                )
            )  # fmt: skip


def add_limits(made: History, tenant: str, early: datetime, late: datetime) -> None:
    """Waits of recovery, thresholds and debit rates: two versions of each, and one rate that ends without a successor."""
    for valid_from, valid_to, waits, percents in (
        (early, late, (86400, 259200, 604800), (20, 10, 0)), (late, None, (43200, 172800, 345600), (30, 12, 5)),
    ):  # fmt: skip
        dates: dict[str, Any] = {"tenant_id": tenant, "valid_from": valid_from, "valid_to": valid_to}
        made.refer(
            *(RecoveryStep(**dates, attempt=number, wait_seconds=wait) for number, wait in enumerate(waits, 1)),
            *(
                TokenThreshold(**dates, percent=percent, action=action)
                for percent, action in zip(percents, ("alert", "top_up_link", "pause"), strict=True)
            ),
        )
    for kind, model, channel, category, per, before, after in (
        ("llm_input", "", "", "", 1000, 3, 4), ("llm_input", "large", "", "", 1000, 11, 10), ("llm_output", "", "", "", 700, 5, 6),
        ("message", "", "", "", 1, 1, 2), ("message", "", "whatsapp", "", 1, 2, 3), ("message", "", "", "marketing", 1, 4, 5),
        ("message", "", "whatsapp", "marketing", 1, 6, None),
    ):  # fmt: skip
        for valid_from, valid_to, tokens in ((early, late, before), (late, None, after)):
            if tokens is not None:
                made.refer(
                    DebitRate(
                        tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, kind=kind, model=model, channel=channel,
                        category=category, per_quantity=per, tokens=tokens,
                    )
                )  # fmt: skip


def _with_hole(*rows: Any) -> list[Any]:
    """The rows, those of an unruled tenant's tables a day and a half late where they begin at the change."""
    late = CHANGE + timedelta(hours=36)
    return [
        msgspec.structs.replace(row, valid_from=late) if row.valid_from == CHANGE and row.table in UNRULED.get(row.tenant_id, ()) else row
        for row in rows
    ]


def add_people(made: History, tenant: str, early: datetime, late: datetime) -> None:
    """Staff of two shifts, some of whom come or go in the middle; one tenant has no operator before that."""
    begin = late if tenant == "tenant_1" else early
    for person, role, calendar, valid_from, valid_to in (
        ("p0", "operator", "office", begin, None), ("p1", "operator", "office", begin, late if begin < late else None),
        ("p2", "operator", "late", late, None), ("p3", "operator", "late", begin, None), ("m0", "manager", "office", early, None),
        ("m1", "manager", "late", early, None), ("v0", "viewer", "late", early, None),
    ):  # fmt: skip
        made.refer(
            Person(tenant_id=tenant, person_id=person, role=role, calendar_id=calendar, valid_from=valid_from, valid_to=valid_to)  # type: ignore[arg-type]
        )


def add_promises(made: History, tenant: str, early: datetime, late: datetime) -> None:
    """Service-level policies of all metrics, some for one tier, that change in the middle of the story."""
    for metric, tier, before, after, is_bot in (
        ("first_response", "ANY", 1800, 900, True), ("first_response", "HOT", 300, 600, False), ("next_response", "ANY", 3600, 7200, False),
        ("next_response", "WARM", 1800, 1800, True), ("resolution", "ANY", 14400, 28800, True), ("hand_over", "ANY", 3600, 1800, False),
    ):  # fmt: skip
        for valid_from, valid_to, target in ((early, late, before), (late, None, after)):
            made.refer(
                SlaPolicy(
                    tenant_id=tenant, valid_from=valid_from, valid_to=valid_to, policy_id=f"{metric}_{tier}", tier=tier, metric=metric,
                    target_seconds=target, calendar_id="office", is_bot_reply_counted=is_bot,
                )
            )  # fmt: skip
