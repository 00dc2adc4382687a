"""The worked examples of docs/decisions.md: each tenant is a scenario, all built at once. Open 09:00-18:00 UTC, Monday to Friday."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from core.business_time import Calendar, intervals, parse_shift
from core.reference import CreditRate, DebitRate, LeadPoint, Policy, RecoveryStep, ScoringWeights, SlaPolicy, Tenant, TokenThreshold
from tests.dbt.warehouse import at, build, lake_row

AS_OF = at("2026-03-20 00:00")
_EARLY = at("2026-01-01 00:00")


class Scenario:
    """One tenant with one lead `l`, who holds the point `p`; 2026-03-02 is a Monday."""

    def __init__(self, rows: dict[str, list[Any]], tenant: str, *points: tuple[str, str, str | None]) -> None:
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
            Policy(**common, **limits),
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


READY = {"intent": "ready_to_buy", "budget_minor": 1_000_000, "budget_currency": "INR", "timeline_days": 7, "buying_signal": "asked_price"}


def scenarios() -> dict[str, list[Any]]:
    """All rows."""
    rows: dict[str, list[Any]] = {}

    def new(tenant: str, *points: tuple[str, str, str | None]) -> Scenario:
        return Scenario(rows, tenant, *points)

    new("in_time").message("2026-03-02 17:45").message("2026-03-02 17:50").message("2026-03-03 09:15", "ai")
    new("late").message("2026-03-02 17:45").message("2026-03-02 17:50").message("2026-03-03 09:15:01", "ai")
    new("resolved").message("2026-03-02 10:00").did("2026-03-02 10:10", "resolved").message("2026-03-02 12:00")
    new("hot_taken").message("2026-03-02 09:59").turn("2026-03-02 10:00", **READY).did("2026-03-02 10:15", "assigned")
    new("hot_late").message("2026-03-02 09:59").turn("2026-03-02 10:00", **READY).did("2026-03-02 10:15:01", "assigned")
    for tenant, moment in (("missed", None), ("missed_answered", "2026-03-03 11:30"), ("missed_late", "2026-03-03 11:30:00.000001")):
        missed = new(tenant)
        for when, kind in (("2026-03-01 10:00", "booked"), ("2026-03-02 18:00", "no_show_marked")):
            times = {"starts_at": at("2026-03-02 11:00"), "ends_at": at("2026-03-02 11:30")}
            missed.event("appointments", when, kind=kind, appointment_id="b", no_show_id="n" if kind != "booked" else None, **times)
        missed.message("2026-03-02 11:29:59.999999", "human")
        if moment is not None:
            missed.message(moment, "ai")
    new("renewed").message("2026-03-02 10:00").message("2026-03-03 09:00")
    new("first_attempt").message("2026-03-02 10:00").message("2026-03-02 10:05", "ai")
    new("second_attempt").message("2026-03-02 10:00").message("2026-03-02 10:05", "ai").attempt("2026-03-03 10:06")
    third = new("no_fourth_attempt").message("2026-03-02 10:00").message("2026-03-02 10:05", "ai")
    third.attempt("2026-03-03 10:06").attempt("2026-03-06 10:06").attempt("2026-03-13 10:06")
    changed = new("changed", ("p", "2026-03-01 00:00", "2026-03-02 12:00"), ("q", "2026-03-02 12:00", None))
    changed.message("2026-03-02 10:00").message("2026-03-02 10:05", "ai")
    doubt = new("doubt").message("2026-03-02 10:00")
    for minute, confidence in enumerate((0.4, 0.9, 0.4)):
        doubt.turn(f"2026-03-02 10:0{minute + 1}", confidence=confidence)
    for tenant, verdict in (("six_turns", "continue"), ("sixth_decides", "qualified")):
        six = new(tenant).message("2026-03-02 10:00")
        for minute in range(6):
            six.turn(f"2026-03-02 10:0{minute + 1}", verdict=verdict if minute == 5 else "continue")
    new("risk").message("2026-03-02 10:00").turn("2026-03-02 10:01", risk="legal", verdict="qualified")
    statuses = new("statuses").message("2026-03-02 10:00", "ai").message("2026-03-02 10:01", "ai")
    for number, status in ((1, "read"), (1, "failed"), (1, "sent"), (2, "failed"), (2, "delivered")):
        statuses.event("message_statuses", "2026-03-02 10:05", message_id=f"m{number}", status=status)
    seen = new("seen").message("2026-03-02 10:00", "ai").message("2026-03-02 10:02", "lead").message("2026-03-02 10:03", "ai")
    for status, until in (("read", "10:00:00"), ("delivered", "10:03:00"), ("read", "09:59:59")):
        at_most = {"account_id": "a", "watermark_at": at(f"2026-03-02 {until}")}
        seen.event("message_statuses", "2026-03-02 10:05", message_id=None, status=status, **at_most)
    refunds = new("refunds").event(
        "payments", "2026-03-02 10:00", kind="payment.captured", payment_id="a", amount_minor=33_333, currency="INR"
    )
    for moment, amount in (("2026-03-03 10:00", 10_000), ("2026-03-04 10:00", 23_333)):
        refunds.event("payments", moment, kind="refund.processed", payment_id="a", refund_id=moment, amount_minor=amount, currency="INR")
    spent = new("spent").event("payments", "2026-03-02 10:00", kind="order.paid", payment_id="a", amount_minor=10_000, currency="INR")
    for moment, quantity in (("2026-03-02 18:29:59", 799), ("2026-03-02 18:30", 1), ("2026-03-03 18:00", 1)):
        spent.event("token_usage", moment, kind="message", quantity=quantity)
    for tenant, moment in (("sla_in_time", "2026-03-03 09:15"), ("sla_late", "2026-03-03 09:15:00.000001")):
        new(tenant).promise("first_response", 1800).message("2026-03-02 17:45").message(moment, "human")
    for tenant, moment in (("sla_hot_before", "2026-03-02 09:59"), ("sla_hot_after", "2026-03-02 10:01")):
        promised = new(tenant).promise("first_response", 1800).promise("first_response", 300, "HOT")
        promised.event("lead_events", moment, kind="tier_overridden", tier="HOT").message("2026-03-02 10:00")
    bots = new("sla_bots").promise("first_response", 1800).promise("next_response", 1800).message("2026-03-02 10:00")
    bots.message("2026-03-02 10:01", "ai").message("2026-03-02 10:05").message("2026-03-02 10:20", "human").message("2026-03-02 10:40")
    paused = new("sla_paused").promise("resolution", 3600).message("2026-03-02 10:00").message("2026-03-02 10:20", "human")
    paused.message("2026-03-02 11:00").message("2026-03-02 11:15", "human").did("2026-03-02 12:00", "resolved")
    new("sla_lapsed").promise("resolution", 3600).message("2026-03-02 10:00")
    asked = new("sla_person").promise("hand_over", 3600).did("2026-03-02 10:00", "escalated").did("2026-03-02 10:05", "assigned")
    asked.did("2026-03-02 10:30", "human_action")
    new("sla_ended").promise("first_response", 1800, until="2026-03-02 10:00").message("2026-03-02 10:00")
    return rows


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All scenarios, built."""
    with build(tmp_path_factory.mktemp("examples"), scenarios(), AS_OF) as connection:
        yield connection


def leaks(scenes: duckdb.DuckDBPyConnection, tenant: str, kind: str) -> list[tuple[datetime, datetime | None, str | None]]:
    """When each began and ended, and why."""
    query = "select since_at, closed_at, close_reason from marts.fct_lead_leaks where tenant_id = ? and kind = ? order by since_at"
    return scenes.execute(query, [tenant, kind]).fetchall()


def test_one_leak_for_a_run_of_messages(scenes) -> None:
    assert leaks(scenes, "in_time", "no_reply") == []
    assert leaks(scenes, "late", "no_reply") == [(at("2026-03-03 09:15"), at("2026-03-03 09:15:01"), "replied")]


def test_a_resolve_event_ends_the_waiting(scenes) -> None:
    assert leaks(scenes, "resolved", "no_reply") == [(at("2026-03-02 12:30"), None, None)]


def test_hot_and_in_nobodys_hands(scenes) -> None:
    assert leaks(scenes, "hot_taken", "hot_unassigned") == []
    assert leaks(scenes, "hot_late", "hot_unassigned") == [(at("2026-03-02 10:15"), at("2026-03-02 10:15:01"), "assigned")]


def test_a_no_show_that_nobody_followed_up_for_a_day(scenes) -> None:
    since = at("2026-03-03 11:30")
    assert leaks(scenes, "missed", "no_show") == [(since, None, None)]
    assert leaks(scenes, "missed_answered", "no_show") == []
    assert leaks(scenes, "missed_late", "no_show") == [(since, since + timedelta(microseconds=1), "followed_up")]


def test_a_window_about_to_close(scenes) -> None:
    assert leaks(scenes, "renewed", "window_closing") == [
        (at("2026-03-03 08:00"), at("2026-03-03 09:00"), "window_renewed"),
        (at("2026-03-04 07:00"), at("2026-03-04 09:00"), "window_expired"),
    ]


def test_points_fade(scenes) -> None:
    rows = scenes.execute(
        "select scored_at, intent_points, budget_points, timeline_points, engagement_points, signal_points, score, tier "
        "from marts.fct_lead_scores where tenant_id = 'hot_taken' order by scored_at"
    ).fetchall()
    inbound = at("2026-03-02 09:59")
    assert rows == [
        (inbound, 0, 0, 0, 9, 0, 9, "COLD"),
        (at("2026-03-02 10:00"), 30, 20, 20, 9, 10, 89, "HOT"),
        (inbound + timedelta(days=1), 30, 20, 20, 7, 10, 87, "HOT"),
        (inbound + timedelta(days=3), 30, 20, 20, 5, 10, 85, "HOT"),
        (inbound + timedelta(days=7), 30, 20, 20, 0, 10, 80, "HOT"),
    ]


def test_recovery(scenes) -> None:
    query = "select tenant_id, attempt, due_at, expires_at, point_id from marts.fct_recovery_candidates where tenant_id = any(?) order by 1"
    tenants = ["first_attempt", "second_attempt", "no_fourth_attempt", "changed"]
    assert scenes.execute(query, [tenants]).fetchall() == [
        ("changed", 1, at("2026-03-03 10:05"), at("2026-03-04 10:05"), "q"),
        ("first_attempt", 1, at("2026-03-03 10:05"), at("2026-03-04 10:05"), "p"),
        ("second_attempt", 2, at("2026-03-06 10:06"), at("2026-03-07 10:06"), "p"),
    ]


def test_qualification(scenes) -> None:
    query = "select tenant_id, turns, outcome, escalation_reason, ended_at from marts.fct_qualification where tenant_id = any(?) order by 1"
    assert scenes.execute(query, [["doubt", "six_turns", "sixth_decides", "risk"]]).fetchall() == [
        ("doubt", 3, "escalated", "low_confidence", at("2026-03-02 10:03")),
        ("risk", 1, "escalated", "high_risk:legal", at("2026-03-02 10:01")),
        ("six_turns", 6, "escalated", "turn_limit", at("2026-03-02 10:06")),
        ("sixth_decides", 6, "qualified", None, at("2026-03-02 10:06")),
    ]


def test_statuses(scenes) -> None:
    query = "select message_id, status from marts.fct_messages where tenant_id = 'statuses' order by 1"
    assert scenes.execute(query).fetchall() == [("m1", "read"), ("m2", "failed")]


def test_refunds_reverse_exactly(scenes) -> None:
    query = "select kind, account, amount_tokens from marts.fct_token_ledger where tenant_id = 'refunds' order by occurred_at, entry_no"
    assert scenes.execute(query).fetchall() == [
        ("credit", "wallet", 3333),
        ("credit", "sales", -3333),
        ("refund", "wallet", -999),
        ("refund", "refunds", 999),
        ("refund", "wallet", -2334),
        ("refund", "refunds", 2334),
    ]


def test_thresholds_and_local_days(scenes) -> None:
    balances = "select balance_date, balance_tokens, is_current from marts.fct_token_balances where tenant_id = 'spent' order by 1"
    # 18:30 UTC is midnight in Kolkata.
    found = scenes.execute(balances).fetchall()
    assert found[:3] == [(date(2026, 3, 2), 201, False), (date(2026, 3, 3), 199, False), (date(2026, 3, 4), 199, False)]
    assert found[-1] == (date(2026, 3, 20), 199, True)  # as_of is 05:30 of the 20th
    assert len(found) == 19
    requests = "select kind, due_at, expires_at from marts.act_requests where tenant_id = 'spent'"
    assert scenes.execute(requests).fetchall() == [("notify", at("2026-03-02 18:30"), at("2026-03-03 18:30"))]


def test_a_watermark_reads_all_of_ours_up_to_it(scenes) -> None:
    query = "select message_id, status from marts.fct_messages where tenant_id = 'seen' order by 1"
    assert scenes.execute(query).fetchall() == [("m1", "read"), ("m2", "received"), ("m3", "delivered")]


def clocks(scenes: duckdb.DuckDBPyConnection, tenant: str, columns: str) -> list[tuple[Any, ...]]:
    """Columns of a tenant's service-level clocks, in time."""
    return scenes.execute(
        f"select {columns} from marts.fct_sla_clocks where tenant_id = ? order by started_at, metric", [tenant]
    ).fetchall()


def test_a_reply_exactly_when_it_is_due_is_met(scenes) -> None:
    times = "verdict, warn_at, due_at, elapsed_microseconds"
    warn_at, due_at = at("2026-03-03 09:09"), at("2026-03-03 09:15")
    assert clocks(scenes, "sla_in_time", times) == [("met", warn_at, due_at, 1_800_000_000)]
    assert clocks(scenes, "sla_late", times) == [("breached", warn_at, due_at, 1_800_000_001)]


def test_a_promise_is_that_of_the_tier_at_the_event(scenes) -> None:
    assert clocks(scenes, "sla_hot_before", "policy_id, due_at") == [("first_response_HOT", at("2026-03-02 10:05"))]
    assert clocks(scenes, "sla_hot_after", "policy_id, due_at") == [("first_response_ANY", at("2026-03-02 10:30"))]


def test_a_bots_reply_ends_no_wait_for_a_person(scenes) -> None:
    assert clocks(scenes, "sla_bots", "metric, started_at, stopped_at, stop_reason, elapsed_seconds") == [
        ("first_response", at("2026-03-02 10:00"), at("2026-03-02 10:20"), "person_replied", 1200),
        ("next_response", at("2026-03-02 10:40"), None, None, None),
    ]


def test_a_resolution_is_paused_while_we_wait_for_the_lead(scenes) -> None:
    assert clocks(scenes, "sla_paused", "verdict, stop_reason, due_at, elapsed_seconds, paused_seconds") == [
        ("met", "resolved", None, 35 * 60, 85 * 60)
    ]
    query = "select kind, reason, length_microseconds / 60000000 from marts.fct_sla_intervals where tenant_id = 'sla_paused' order by interval_no"
    assert scenes.execute(query).fetchall() == [
        ("counted", "waiting_for_us", 20), ("paused", "waiting_for_lead", 40), ("counted", "waiting_for_us", 15), ("paused", "waiting_for_lead", 45),
    ]  # fmt: skip


def test_silence_resolves_nothing_while_the_lead_waits(scenes) -> None:
    assert clocks(scenes, "sla_lapsed", "verdict, due_at, stopped_at") == [("breached", at("2026-03-02 11:00"), None)]


def test_a_person_who_is_wanted_twice_is_waited_for_once(scenes) -> None:
    assert clocks(scenes, "sla_person", "metric, stop_reason, elapsed_seconds") == [("hand_over", "human_action", 1800)]


def test_a_promise_that_has_run_out_is_a_finding(scenes) -> None:
    assert clocks(scenes, "sla_ended", "finding, verdict, due_at, policy_id") == [("no_policy", None, None, None)]
