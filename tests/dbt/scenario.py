"""One tenant with one lead, told event by event, for worked examples. Open 09:00-18:00 UTC, Monday to Friday. Not here: what happens."""

from datetime import date
from typing import Any

from core.business_time import Calendar, intervals, parse_shift
from core.reference import CreditRate, DebitRate, LeadPoint, Policy, RecoveryStep, ScoringWeights, SlaPolicy, Tenant, TokenThreshold
from tests.dbt.warehouse import at, lake_row

_EARLY = at("2026-01-01 00:00")


class Scenario:
    """One tenant with one lead `l`, who holds the point `p`; 2026-03-02 is a Monday."""

    def __init__(
        self, rows: dict[str, list[Any]], tenant: str, *points: tuple[str, str, str | None], ruled_until: str | None = None
    ) -> None:
        self._rows, self.tenant, self._count = rows, tenant, 0
        calendar = Calendar(calendar_id="office", timezone="UTC", week=((parse_shift("09:00-18:00"),),) * 5 + ((), ()), valid_from=_EARLY)
        common: dict[str, Any] = {"tenant_id": tenant, "valid_from": _EARLY}
        limits = {
            "calendar_id": "office", "conversation_gap_seconds": 259200, "no_reply_business_seconds": 1800, "hot_unassigned_seconds": 900,
            "assigned_idle_business_seconds": 14400, "next_step_seconds": 86400, "window_closing_seconds": 7200, "max_ai_turns": 6,
            "low_confidence": 0.5, "recovery_template": "come_back", "recovery_expires_seconds": 86400,
        }  # fmt: skip
        weights = {
            "intent_points": 30, "budget_points": 20, "timeline_points": 20, "engagement_points": 20, "signal_points": 10,
            "hot_at": 70, "warm_at": 40, "typical_deal_minor": 1_000_000,
        }  # fmt: skip
        for row in (
            Tenant(tenant_id=tenant, timezone="Asia/Kolkata", default_region="IN", currency="INR"),
            Policy(**common, **limits, valid_to=at(ruled_until) if ruled_until else None),
            ScoringWeights(**common, **weights),
            CreditRate(**common, currency="INR", tokens_per_major=10),
            DebitRate(**common, kind="message", model="", channel="", category="", per_quantity=1, tokens=1),
            *(RecoveryStep(**common, attempt=n, wait_seconds=wait) for n, wait in ((1, 86400), (2, 259200), (3, 604800))),
            *(TokenThreshold(**common, percent=p, action=a) for p, a in ((20, "alert"), (10, "top_up_link"), (0, "pause"))),
            *intervals(tenant, [calendar], date(2026, 2, 1), date(2026, 5, 1)),
            *(
                LeadPoint(
                    tenant_id=tenant, valid_from=at(since), valid_to=at(until) if until else None, point_id=point, lead_id="l", kind="phone"
                )
                for point, since, until in (points or (("p", "2026-03-01 00:00", None),))
            ),
        ):
            rows.setdefault(row.table, []).append(row)

    def event(self, table: str, moment: str, **fields: Any) -> "Scenario":
        """One event; its id is `e1`, `e2`, …"""
        self._count += 1
        row = lake_row(table, self.tenant, f"e{self._count}", at(moment), **({"contact_point_id": "p"} | fields))
        self._rows.setdefault(table, []).append(row)
        return self

    def message(self, moment: str, author: str = "lead", **fields: Any) -> "Scenario":
        """A WhatsApp message."""
        common = {"message_id": f"m{self._count + 1}", "channel": "whatsapp", "channel_account_id": "a", "author_type": author}
        common |= {"direction": "inbound" if author == "lead" else "outbound", "message_type": "text"}
        return self.event("messages", moment, **(common | fields))

    def attempt(self, moment: str) -> "Scenario":
        """A recovery message that the outbox sent."""
        return self.message(moment, "automation", message_type="template", template_name="come_back", action_id="x")

    def turn(self, moment: str, **fields: Any) -> "Scenario":
        """A turn of the assistant."""
        return self.event("ai_turns", moment, **({"channel": "whatsapp", "confidence": 0.9} | fields))

    def did(self, moment: str, kind: str) -> "Scenario":
        """What people did."""
        return self.event("lead_events", moment, kind=kind, person_id="p1")

    def promise(
        self, metric: str, seconds: int, tier: str = "ANY", until: str | None = None, *, is_bot_reply_counted: bool = False
    ) -> "Scenario":
        """A service level."""
        self._rows.setdefault("sla_policies", []).append(
            SlaPolicy(
                tenant_id=self.tenant, valid_from=_EARLY, valid_to=at(until) if until else None, policy_id=f"{metric}_{tier}", tier=tier,
                metric=metric, target_seconds=seconds, calendar_id="office", is_bot_reply_counted=is_bot_reply_counted,
            )
        )  # fmt: skip
        return self
