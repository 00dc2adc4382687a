"""Random histories for service levels: thirty time zones over both changes of the clocks, shifts by day and by night, policies that change.

Tiers are set by people alone, since nobody has scoring weights. Not here: what should follow (`tests.oracles.sla`).
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.business_time import Calendar, Shift, intervals
from core.reference import LeadPoint, Policy, SlaPolicy, Tenant
from tests.dbt.history_base import History, step
from tests.oracles.hours import Span, open_spans

ZONES = (
    "Asia/Kolkata", "America/New_York", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Asia/Kathmandu",
    "America/St_Johns", "America/Los_Angeles", "America/Santiago", "Africa/Cairo", "Asia/Jerusalem", "Asia/Beirut", "Europe/London",
    "Atlantic/Azores", "Australia/Adelaide", "Australia/Sydney", "Europe/Kyiv", "America/Havana", "America/Asuncion", "Asia/Tehran",
    "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Marquesas", "Asia/Yangon", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tokyo",
    "America/Nuuk",
)  # fmt: skip
FIRST, LAST = date(2026, 2, 20), date(2026, 5, 20)
EARLY, START, CHANGE, AS_OF = (datetime(2026, *day, tzinfo=UTC) for day in ((2, 20), (3, 2), (3, 25, 7, 30), (4, 12, 12)))
_WEEKS: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = (
    (((540, 780), (840, 1110)),) * 5 + (((600, 840),), ()),
    (((1320, 1800),),) * 7,
    (((0, 1440),),) * 7,
    (((480, 720), (1260, 1620)), (), ((90, 180),), ((480, 1200),), ((0, 150), (1380, 1530)), (), ((105, 1335),)),
)


@dataclass
class Promises:
    """The histories, and each calendar's opening hours as the oracle reads them."""

    made: History
    calendars: dict[tuple[str, str], list[Span]]

    def gap(self, tenant: str, _: datetime) -> timedelta:
        """The conversation gap: one an odd tenant, another an even one."""
        return timedelta(days=3 if int(tenant.rsplit("_", 1)[1]) % 2 else 1)


def promises(seed: int, histories: int) -> Promises:
    """So many histories of one lead each, spread over a tenant a zone."""
    found = Promises(History(), {})
    rngs = []
    for number, zone in enumerate(ZONES):
        tenant, rng = f"zone_{number}", random.Random(f"{seed}:{zone}")
        _refer(found, tenant, number, zone, rng)
        rngs.append((tenant, rng))
    for number in range(histories):
        tenant, rng = rngs[number % len(rngs)]
        _lead(found.made, tenant, f"{tenant}_{number}", rng, is_whole=number < 10 * len(rngs))
    return found


def _refer(found: Promises, tenant: str, number: int, zone: str, rng: random.Random) -> None:
    made = found.made
    gap = found.gap(tenant, START) // timedelta(seconds=1)
    made.refer(
        Tenant(tenant_id=tenant, timezone=zone, default_region="IN", currency="INR"),
        Policy(
            tenant_id=tenant, valid_from=EARLY, calendar_id="c0", conversation_gap_seconds=gap, no_reply_business_seconds=1800,
            hot_unassigned_seconds=900, assigned_idle_business_seconds=14400, next_step_seconds=86400, window_closing_seconds=7200,
            max_ai_turns=6, low_confidence=0.5, recovery_template="x", recovery_expires_seconds=86400,
        ),
    )  # fmt: skip
    for name in ("c0", "c1"):
        holidays = frozenset(date(2026, 3, rng.randint(3, 31)) for _ in range(2))
        versions = [
            Calendar(
                calendar_id=name, timezone=zone, week=tuple(tuple(Shift(*shift) for shift in day) for day in rng.choice(_WEEKS)),
                holidays=holidays, valid_from=valid_from, valid_to=valid_to,
            )
            for valid_from, valid_to in ((EARLY, CHANGE), (CHANGE, None))
        ]  # fmt: skip
        made.refer(*intervals(tenant, versions, FIRST, LAST))
        found.calendars[tenant, name] = open_spans(zone, versions, FIRST, LAST)
    for metric, tier in (
        ("first_response", "ANY"), ("first_response", "HOT"), ("next_response", "ANY"), ("next_response", "COLD"), ("resolution", "ANY"),
        ("resolution", "WARM"), ("hand_over", "ANY"),
    ):  # fmt: skip
        for valid_from, valid_to in ((EARLY, CHANGE), (CHANGE, None)):
            target = rng.choice((300, 900, 1800, 3600, 7200, 86400))
            calendar, is_bot, begins = rng.choice(("c0", "c1")), rng.random() < 0.5, valid_from
            if number % 10 == 3 and tier == "ANY" and valid_to is None:  # what is missing or ambiguous
                match metric:
                    case "first_response":
                        begins += timedelta(days=4)
                    case "next_response":
                        calendar = "nowhere"
                    case "resolution":
                        target = 10_000_000
                    case "hand_over":
                        begins -= timedelta(days=4)
            made.refer(
                SlaPolicy(
                    tenant_id=tenant, valid_from=begins, valid_to=valid_to, policy_id=f"{metric}_{tier}_{begins:%d}", tier=tier,
                    metric=metric, target_seconds=target, calendar_id=calendar, is_bot_reply_counted=is_bot,
                )
            )  # fmt: skip


def _lead(made: History, tenant: str, lead: str, rng: random.Random, *, is_whole: bool) -> None:
    """One history; `is_whole`: on whole seconds, for what counts second by second."""
    point = f"cp_{lead}"
    at = START + timedelta(seconds=rng.randint(0, 38 * 86400))
    made.refer(LeadPoint(tenant_id=tenant, valid_from=EARLY, point_id=point, lead_id=lead, kind="phone"))
    accounts = ("w1", "w2") if rng.random() < 0.1 else ("w1",)
    for number in range(rng.randint(1, 14)):
        event_id = f"e{rng.getrandbits(32):08x}:{number}"
        late = {"received_at": at + rng.choice((timedelta(), timedelta(seconds=rng.randint(0, 604800))))}
        chance = rng.random()
        if chance < 0.78:
            author = rng.choices(("lead", "ai", "human", "automation"), (45, 25, 22, 8))[0]
            made.add(
                "messages", tenant, event_id, at, message_id=event_id, channel="whatsapp", channel_account_id=rng.choice(accounts),
                contact_point_id=point, direction="inbound" if author == "lead" else "outbound", author_type=author, message_type="text", **late,
            )  # fmt: skip
        elif chance < 0.98:
            kinds: dict[str, int] = {
                "assigned": 3, "escalated": 3, "human_action": 3, "tier_overridden": 6, "resolved": 4, "won": 1, "lost": 1, "unassigned": 1,
            }  # fmt: skip
            kind = rng.choices(list(kinds), list(kinds.values()))[0]
            tier: dict[str, Any] = {"tier": rng.choice(("HOT", "WARM", "COLD"))} if kind == "tier_overridden" else {}
            channel = rng.choice((None, "whatsapp", "instagram"))
            made.add("lead_events", tenant, event_id, at, kind=kind, contact_point_id=point, channel=channel, **tier, **late)
        else:
            made.add(
                "contact_events",
                tenant,
                event_id,
                at,
                kind=rng.choice(("opted_out", "blocked", "opted_in")),
                contact_point_id=point,
                **late,
            )
        at += step(rng)
        if is_whole:
            at = at.replace(microsecond=0)
