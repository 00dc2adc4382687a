"""The marts against the oracles: random histories of several hundred leads, zero tolerance."""

from datetime import datetime, timedelta
from typing import Any

from tests.dbt.histories import AS_OF
from tests.dbt.warehouse import rows
from tests.oracles import appointments, conversations, leads, no_shows, recovery, scores, sla, tokens
from tests.oracles.common import all_valid, gap_of
from tests.oracles.hours import Span


def test_windows_and_violations(built, known, holders) -> None:
    found = rows(
        built,
        "select tenant_id, contact_point_id, channel_account_id, kind, opened_at, expires_at from marts.fct_messaging_windows",
    )
    assert sorted(found) == sorted(conversations.windows(known["messages"], holders))
    violated = rows(
        built,
        "select tenant_id, message_id, reason, is_reported_by_provider from marts.fct_window_violations",
    )
    expected = conversations.violations(known["messages"], known["message_statuses"], holders)
    assert {row[:2]: row[2:] for row in violated} == expected


def bookings(known: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Steps of appointments, with every column that an oracle may ask for."""
    return [dict.fromkeys(("no_show_id", "starts_at", "ends_at")) | row for row in known["appointments"]]


def test_appointments(built, known) -> None:
    found = rows(
        built,
        """
        select tenant_id, appointment_id, latest_booking_id, status, reschedule_count, is_no_show, booked_at, starts_at
        from marts.fct_appointments
        """,
    )
    expected = appointments.appointments(bookings(known), AS_OF)
    assert {row[:2]: row[2:] for row in found} == expected
    assert {row[3] for row in found} == {"booked", "completed", "no_show", "cancelled", "rescheduled"}
    assert max(row[4] for row in found) == 8


def test_statuses(built, known) -> None:
    told: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in known["message_statuses"]:
        told.setdefault((row["tenant_id"], row["message_id"]), []).append(row)
    expected = {
        (row["tenant_id"], row["message_id"]): conversations.status(row, told.get((row["tenant_id"], row["message_id"]), []))
        for row in known["messages"]
    }
    assert {row[:2]: row[2] for row in rows(built, "select tenant_id, message_id, status from marts.fct_messages")} == expected


def test_scores(built, made, known, holders) -> None:
    expected = scores.scores(known["messages"], known["ai_turns"], holders, made.reference, AS_OF)
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for tenant, lead, *row in rows(
        built,
        """
        select tenant_id, lead_id, scored_at, intent_points, budget_points, timeline_points, engagement_points, signal_points, score, tier
        from marts.fct_lead_scores order by scored_at
        """,
    ):
        found.setdefault((tenant, lead), []).append(tuple(row))
    assert found == {key: [row[:8] for row in kept] for key, kept in expected.items() if kept}


def test_leaks(built, made, known, holders) -> None:
    closing = leads.closers(known["messages"], known["lead_events"], known["contact_events"], holders)
    qualified = rows(
        built,
        "select tenant_id, lead_id, last_turn_event_id, ended_at from marts.fct_qualification where outcome = 'qualified'",
    )
    tiers: dict[tuple[str, str], list[tuple[datetime, str, str]]] = {}
    for tenant, lead, *row in rows(
        built,
        "select tenant_id, lead_id, scored_at, tier, trigger_event_id from marts.fct_lead_scores",
    ):
        tiers.setdefault((tenant, lead), []).append(tuple(row))
    for key in leads.by_lead(known["lead_events"], holders):
        tiers.setdefault(key, [])
    expected = [
        *leads.waiting_leaks(known["messages"], closing, holders, made.reference, AS_OF),
        *leads.working_leaks(closing, qualified, made.reference, AS_OF),
        *no_shows.no_show_leaks(bookings(known), closing, holders, made.reference, AS_OF),
        *leads.hot_leaks(
            tiers,
            known["lead_events"],
            known["contact_events"],
            holders,
            made.reference,
            AS_OF,
        ),
    ]
    found = rows(
        built,
        "select tenant_id, lead_id, kind, trigger_event_id, since_at, closed_at, close_reason from marts.fct_lead_leaks",
    )
    for kind in (
        "no_reply",
        "window_closing",
        "assigned_idle",
        "no_next_step",
        "hot_unassigned",
        "no_show",
    ):
        assert {row for row in found if row[2] == kind} == {row for row in expected if row[2] == kind}, kind
        assert any(row[2] == kind for row in found)


def test_recovery(built, made, known, holders) -> None:
    def now_held(tenant: str, lead: str) -> list[str]:
        return [
            row.point_id
            for row in made.reference["lead_points"]
            if (row.tenant_id, row.lead_id) == (tenant, lead) and row.valid_from <= AS_OF and (row.valid_to is None or row.valid_to > AS_OF)
        ]

    expected = recovery.recovery(
        known["messages"],
        known["lead_events"],
        known["contact_events"],
        known.get("privacy_requests", []),
        holders,
        made.reference,
        now_held,
    )
    found = rows(
        built,
        "select tenant_id, lead_id, attempt, trigger_event_id, due_at, expires_at, point_id from marts.fct_recovery_candidates",
    )
    assert set(found) == expected
    assert {row[2] for row in found} == {1, 2, 3}


def test_tokens(built, made, known) -> None:
    moves = tokens.bookings(known["payments"], known["token_usage"], made.reference, AS_OF)
    found = rows(
        built,
        "select tenant_id, account, kind, occurred_at, amount_tokens from marts.fct_token_ledger where amount_tokens <> 0",
    )
    assert sorted(found) == sorted(move for move in moves if move[4])
    zones = {row.tenant_id: row.timezone for row in made.reference["tenants"]}
    balances = {
        row[:2]: row[2]
        for row in rows(
            built,
            "select tenant_id, balance_date, balance_tokens from marts.fct_token_balances",
        )
    }
    assert balances == tokens.balances(moves, zones, AS_OF)
    assert {move[2] for move in moves} == {"credit", "usage", "expiry", "refund", "dispute_hold", "dispute_release", "dispute_loss"}


def test_thresholds_ask_once_for_each_top_up(built, made, known) -> None:
    asked = rows(built, "select tenant_id, kind, trigger, due_at from marts.act_requests where rule = 'token_threshold'")
    entries = rows(
        built,
        "select tenant_id, transaction_id, kind, amount_tokens, occurred_at from marts.fct_token_ledger "
        "where account = 'wallet' order by tenant_id, occurred_at, transaction_id",
    )
    expected: dict[tuple[str, str, str], datetime] = {}
    balance: dict[str, int] = {}
    top_up: dict[str, tuple[str, int]] = {}
    for tenant, transaction, kind, amount, at in entries:
        balance[tenant] = balance.get(tenant, 0) + amount
        if kind == "credit":
            top_up[tenant] = (transaction, amount)
        if tenant in top_up:
            name, size = top_up[tenant]
            for each in all_valid(made.reference["token_thresholds"], tenant, at):
                if balance[tenant] * 100 <= size * each.percent:
                    expected.setdefault((tenant, {"alert": "notify"}.get(each.action, each.action), f"{name}:{each.percent}"), at)
    assert {row[:3]: row[3] for row in asked} == expected
    assert len(asked) == len(expected)
    assert {trigger.rpartition(":")[2] for _, _, trigger in expected} == {"20", "10", "0", "30", "12", "5"}


def test_service_levels(built, made, known, holders) -> None:
    """With computed tiers, escalating turns and changed numbers; tests/dbt/test_sla.py has the many histories."""
    tiers: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    overrides: dict[tuple[str, str], dict[datetime, str]] = {}
    for row in sorted(known["lead_events"], key=lambda row: row["event_id"]):
        if row["kind"] == "tier_overridden":
            overrides.setdefault((row["tenant_id"], holders.lead(row)), {})[row["occurred_at"]] = row["tier"]
    for tenant, lead, at, tier in rows(built, "select tenant_id, lead_id, scored_at, tier from marts.fct_lead_scores"):
        if at < min(overrides.get((tenant, lead), {AS_OF + timedelta(days=1): ""})):
            tiers.setdefault((tenant, lead), []).append((at, tier))
    for key, kept in overrides.items():
        tiers.setdefault(key, []).extend(kept.items())
    escalations = (
        "select tenant_id, lead_id, last_turn_event_id, ended_at from marts.fct_qualification where outcome = 'escalated' union all "
        "select tenant_id, lead_id, event_id, sent_at from marts.fct_message_signals where is_high_risk and lead_id is not null "
        "qualify row_number() over (partition by tenant_id, coalesce(conversation_id, event_id) order by sent_at, event_id) = 1"
    )
    escalated = [dict(zip(("tenant_id", "lead_id", "event_id", "occurred_at"), row, strict=True)) for row in rows(built, escalations)]
    calendars: dict[tuple[str, str], list[Span]] = {}
    for row in made.reference["business_intervals"]:
        calendars.setdefault((row.tenant_id, row.calendar_id), []).append((row.opened_at, row.closed_at))

    walked = sla.walk(
        known,
        escalated,
        holders,
        sla.Walk(
            made.reference["sla_policies"],
            calendars,
            {key: sorted(each) for key, each in tiers.items()},
            gap_of(made.reference["policies"]),
        ),
        AS_OF,
    )
    expected = {}
    for clock in walked:
        judged = sla.judged(clock, calendars, AS_OF)
        key = (clock.tenant, clock.metric, clock.trigger, clock.tier, clock.policy.policy_id)
        expected[key] = (clock.stopped_at, *(judged[name] for name in ("warn_at", "due_at", "verdict", "elapsed", "paused")))
    found = rows(
        built,
        "select tenant_id, metric, trigger_event_id, tier, policy_id, stopped_at, warn_at, due_at, verdict, elapsed_microseconds, "
        "paused_microseconds from marts.fct_sla_clocks",
    )
    assert {row[:5]: row[5:] for row in found} == expected
    assert {row[1] for row in found} == {"first_response", "next_response", "resolution", "hand_over"}


def test_what_service_levels_ask_for(built) -> None:
    asked = rows(
        built,
        "select rule, subject, trigger, tenant_id, due_at, expires_at from marts.act_requests where rule in ('sla_warning', 'sla_breach')",
    )
    clocks = "select metric, trigger_event_id, tenant_id, warn_at, due_at, stopped_at from marts.fct_sla_clocks where finding is null"
    expected = set()
    for metric, trigger, tenant, warn_at, due_at, stopped_at in rows(built, clocks):
        if warn_at is not None and (stopped_at is None or stopped_at > warn_at):
            ends = [each for each in (stopped_at, due_at, warn_at + timedelta(days=1)) if each is not None]
            expected.add(("sla_warning", metric, trigger, tenant, warn_at, min(ends)))
        if due_at is not None and (stopped_at is None or stopped_at > due_at):
            begins = due_at + timedelta(microseconds=1)
            ends = [each for each in (stopped_at, begins + timedelta(days=1)) if each is not None]
            expected.add(("sla_breach", metric, trigger, tenant, begins, min(ends)))
    assert set(asked) == expected
    assert {row[0] for row in asked} == {"sla_warning", "sla_breach"}
