"""The worked examples of docs/decisions.md: each tenant is a scenario, all built at once. Open 09:00-18:00 UTC, Monday to Friday."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from tests.dbt.scenario import Scenario
from tests.dbt.warehouse import at, build

AS_OF = at("2026-03-20 00:00")
READY = {"intent": "ready_to_buy", "budget_minor": 1_000_000, "budget_currency": "INR", "timeline_days": 7, "buying_signal": "asked_price"}


def add_talks(new: Callable[..., Scenario]) -> None:
    """Conversations: without a policy from the middle on, and with waits of the lead."""
    unruled = new("unruled", ruled_until="2026-03-02 10:00:00.000001").message("2026-03-02 10:00").message("2026-03-02 10:00:00.000001")
    for minute in range(7):
        unruled.turn(f"2026-03-02 10:0{minute + 1}", confidence=0.1)
    talk = new("talk").message("2026-03-02 10:00").message("2026-03-02 10:01").message("2026-03-02 10:02", "automation")
    talk.message("2026-03-02 10:05:00.999999", "ai").message("2026-03-02 10:06", "human").message("2026-03-02 11:00")
    talk.message("2026-03-02 12:30", "human").message("2026-03-02 13:00").message("2026-03-02 13:00", "ai").message("2026-03-02 14:00")


def scenarios() -> dict[str, list[Any]]:
    """All rows."""
    rows: dict[str, list[Any]] = {}

    def new(tenant: str, *points: tuple[str, str, str | None], ruled_until: str | None = None) -> Scenario:
        return Scenario(rows, tenant, *points, ruled_until=ruled_until)

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
    add_talks(new)
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


def test_without_a_policy_there_is_no_conversation_and_no_limit(scenes) -> None:
    messages = "select finding, conversation_id is null from marts.fct_messages where tenant_id = 'unruled' order by sent_at"
    assert scenes.execute(messages).fetchall() == [(None, False), ("no_policy", True)]
    talks = "select inbound_count, closed_at from marts.fct_conversations where tenant_id = 'unruled'"
    assert scenes.execute(talks).fetchall() == [(1, at("2026-03-05 10:00"))]
    turns = "select turns, outcome, escalation_reason, finding from marts.fct_qualification where tenant_id = 'unruled'"
    assert scenes.execute(turns).fetchall() == [(7, "lapsed", None, "no_policy")]
    counted = "select finding, event_count from marts.fct_reference_findings where tenant_id = 'unruled'"
    assert scenes.execute(counted).fetchall() == [("no_policy", 8)]


def test_each_wait_of_the_lead_has_its_response(scenes) -> None:
    waits = "select sent_at, response_seconds from marts.fct_messages where tenant_id = 'talk' and direction = 'inbound' order by 1"
    assert scenes.execute(waits).fetchall() == [
        (at("2026-03-02 10:00"), 300),
        (at("2026-03-02 10:01"), None),
        (at("2026-03-02 11:00"), 5400),
        (at("2026-03-02 13:00"), 0),
        (at("2026-03-02 14:00"), None),
    ]
    talk = "select first_response_seconds, longest_next_response_seconds from marts.fct_conversations where tenant_id = 'talk'"
    assert scenes.execute(talk).fetchall() == [(300, 5400)]


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
