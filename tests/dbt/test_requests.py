"""Scheduled messages and what appointments, leads and services want done, against plain Python."""

import json
from datetime import datetime, timedelta

import duckdb
import pytest

from core.actions import key_of
from tests.dbt.histories import AS_OF, History
from tests.dbt.tiers import became_hot, wanted_persons
from tests.oracles import schedules
from tests.oracles.common import Holders, Row

_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def holders(made: History) -> Holders:
    return Holders(row for row in made.reference["lead_points"] if row.valid_from <= AS_OF)


def test_scheduled_messages_end_as_they_should(built: duckdb.DuckDBPyConnection, made: History, holders: Holders) -> None:
    windows = built.execute(
        "select tenant_id, contact_point_id, channel_account_id, opened_at, expires_at from marts.fct_messaging_windows where kind = 'service'"
    ).fetchall()
    messages = made.known("messages", AS_OF)

    def is_open(plan: Row, moment: datetime) -> bool:
        with_whom = (plan["tenant_id"], plan["contact_point_id"])
        talk = [row for row in messages if (row["tenant_id"], row["contact_point_id"], row["channel"]) == (*with_whom, plan["channel"])]
        account = max(talk, key=lambda row: (row["occurred_at"], row["event_id"]))["channel_account_id"] if talk else None
        return any(row[:3] == (*with_whom, account) and row[3] <= moment < row[4] for row in windows)

    consents = [row for row in made.known("contact_events", AS_OF) if row["kind"] in ("opted_in", "opted_out", "blocked")]
    erasures = [row for row in made.known("privacy_requests", AS_OF) if row["kind"] == "erasure"]
    expected = schedules.schedules(made.known("scheduled_messages", AS_OF), messages, consents, erasures, holders, is_open, AS_OF)
    found = built.execute(
        "select tenant_id, schedule_id, status, expiry_reason, send_at, sent_at, cancelled_at from marts.fct_scheduled_messages"
    ).fetchall()
    assert {row[:2]: row[2:] for row in found} == expected
    assert {row[2] for row in found} == {"scheduled", "due", "sent", "cancelled", "expired"}
    assert {row[3] for row in found} >= {None, "opted_out", "point_given_up", "window_closed", "not_sent_in_time"}


def wanted(built: duckdb.DuckDBPyConnection, rule: str) -> dict[tuple[str, str, str], tuple[str, datetime, datetime]]:
    """Kind, due time and end by tenant, subject and trigger."""
    rows = built.execute("select tenant_id, subject, trigger, kind, due_at, expires_at from marts.act_requests where rule = ?", [rule])
    return {row[:3]: row[3:] for row in rows.fetchall()}


def test_a_scheduled_message_is_wanted_unless_it_is_called_off_or_not_allowed(built: duckdb.DuckDBPyConnection) -> None:
    messages = built.execute("select tenant_id, scheduling_event_id, status, expiry_reason, action_id from marts.fct_scheduled_messages")
    asked = wanted(built, "scheduled_message")
    for tenant, event, status, reason, action_id in messages.fetchall():
        is_wanted = status in ("scheduled", "due", "sent") or reason == "not_sent_in_time"
        assert ((tenant, "schedule", event) in asked) == is_wanted
        assert action_id == key_of(tenant, "scheduled_message", "schedule", event)
    assert {kind for kind, _, _ in asked.values()} == {"send_template", "send_scheduled"}


def test_an_appointment_is_confirmed_and_reminded_of_unless_it_was_booked_too_late_or_called_off(
    built: duckdb.DuckDBPyConnection, made: History
) -> None:
    bookings: dict[tuple[str, str], datetime] = {}
    for step in made.known("appointments", AS_OF):
        if step["kind"] in ("booked", "rescheduled_from"):
            key = (step["tenant_id"], step["appointment_id"])
            bookings[key] = min(bookings.get(key, step["occurred_at"]), step["occurred_at"])
    reminders: dict[tuple[str, str, str], tuple[str, datetime, datetime]] = {}
    confirmations, follow_ups = dict(reminders), dict(reminders)
    rows = built.execute(
        "select tenant_id, latest_booking_id, status, starts_at, ends_at, cancelled_at from marts.fct_appointments "
        "where lead_id is not null and starts_at is not null and status <> 'rescheduled'"
    ).fetchall()
    for tenant, booking, status, starts_at, ends_at, cancelled_at in rows:
        booked_at = bookings.get((tenant, booking))
        end = min(starts_at, cancelled_at or starts_at)
        for name, before in (("day_before", 24 * _HOUR), ("hour_before", _HOUR)):
            due_at = starts_at - before
            if booked_at is not None and booked_at <= due_at and (cancelled_at is None or cancelled_at > due_at):
                reminders[tenant, name, booking] = ("send_reminder", due_at, end)
        if booked_at is not None and (cancelled_at is None or cancelled_at > booked_at):
            confirmations[tenant, "confirmation", booking] = ("send_confirmation", booked_at, min(end, booked_at + 24 * _HOUR))
        if status == "no_show":
            follow_ups[tenant, "no_show", booking] = ("send_follow_up", ends_at, ends_at + 168 * _HOUR)
    assert wanted(built, "appointment_reminder") == reminders
    assert wanted(built, "appointment_confirmation") == confirmations
    assert wanted(built, "no_show_follow_up") == follow_ups
    assert min(map(len, (reminders, confirmations, follow_ups))) > 5


def test_people_are_told_of_a_lead_that_became_hot_and_of_an_assistant_that_gave_up(
    built: duckdb.DuckDBPyConnection, made: History, holders: Holders
) -> None:
    hot = {(tenant, "hot", event) for tenant, _, event, _ in became_hot(built, made, holders)}
    assert wanted(built, "routing").keys() == hot
    escalated = {(tenant, subject, event) for tenant, _, subject, event, _ in wanted_persons(built)}
    assert wanted(built, "escalation").keys() == escalated
    assert min(len(hot), len(escalated)) > 10


def test_the_operating_system_is_to_assign_what_nobody_has_in_hand_until_somebody_has(built: duckdb.DuckDBPyConnection) -> None:
    rows = built.execute(
        "select tenant_id, rule, trigger_event_id, assigned_to, is_in_hands, raised_at, answered_at from marts.fct_lead_routings"
    ).fetchall()
    asked = {rule: wanted(built, rule) for rule in ("routing", "escalation")}
    kinds = set()
    for tenant, rule, event, person, is_in_hands, raised_at, answered_at in rows:
        [(kind, due_at, until)] = [each for key, each in asked[rule].items() if (key[0], key[2]) == (tenant, event)]
        lapses_at = raised_at + {"routing": 1, "escalation": 24}[rule] * _HOUR
        assert kind == ("notify" if is_in_hands or person is None else "assign")
        assert (due_at, until) == (raised_at, lapses_at if is_in_hands else min(lapses_at, answered_at or lapses_at))
        kinds.add((kind, until < lapses_at))
    assert kinds >= {("notify", False), ("assign", False), ("assign", True)}


def test_a_quick_booking_is_offered_once_a_day_where_the_assistant_wants_it_until_the_lead_books(
    built: duckdb.DuckDBPyConnection, made: History, holders: Holders
) -> None:
    ended: dict[tuple[str, str | None], list[datetime]] = {}
    first: dict[tuple[str, str], Row] = {}
    for step in sorted(made.known("appointments", AS_OF), key=lambda row: row["occurred_at"], reverse=True):
        if step["kind"] in ("booked", "rescheduled_from"):
            first[step["tenant_id"], step["appointment_id"]] = step
    for row in [*first.values(), *(row for row in made.known("lead_events", AS_OF) if row["kind"] in ("won", "lost"))]:
        ended.setdefault((row["tenant_id"], holders.lead(row)), []).append(row["occurred_at"])
    expected: dict[tuple[str, str, str], tuple[str, datetime, datetime]] = {}
    accounts, last = {}, dict[tuple[str, str], datetime]()
    messages = sorted(made.known("messages", AS_OF), key=lambda row: (row["occurred_at"], row["event_id"]))
    for turn in sorted(made.known("ai_turns", AS_OF), key=lambda row: (row["occurred_at"], row["event_id"])):
        tenant, at, lead = turn["tenant_id"], turn["occurred_at"], holders.lead(turn)
        if (
            lead is None
            or turn["next_action"] != "offer_booking"
            or turn["risk"] != "none"
            or turn["verdict"] in ("disqualified", "escalate")
        ):
            continue
        before = last.get((tenant, lead))
        last[tenant, lead] = at
        with_whom = (tenant, turn["contact_point_id"], turn["channel"])
        talk = [each for each in messages if (each["tenant_id"], each["contact_point_id"], each["channel"]) == with_whom]
        talk = [each for each in talk if each["occurred_at"] <= at]
        if talk and (before is None or at - before >= 24 * _HOUR):
            accounts[turn["event_id"]] = (turn["channel"], turn["contact_point_id"], talk[-1]["channel_account_id"])
            later = [each for each in ended.get((tenant, lead), []) if each > at]
            expected[tenant, "three_slots", turn["event_id"]] = ("send_booking", at, min([at + 24 * _HOUR, *later]))
    assert wanted(built, "quick_booking") == expected
    rows = built.execute("select trigger, channel, point_id, account_id from marts.act_requests where rule = 'quick_booking'").fetchall()
    assert {row[0]: row[1:] for row in rows} == accounts
    assert len({channel for channel, _, _ in accounts.values()}) > 1
    assert {until - at < 24 * _HOUR for _, at, until in expected.values()} == {True, False}


def test_a_budget_alerts_on_the_day_that_spends_much_and_on_the_day_that_passes_a_part(built: duckdb.DuckDBPyConnection) -> None:
    spent: dict[tuple[str, str], int] = {}
    expected = set()
    for tenant, service, day, down, total, budget in built.execute(
        "select tenant_id, service, health_date, down_us, spent_us, budget_us from marts.fct_service_health order by health_date"
    ).fetchall():
        before = spent.get((tenant, service), 0)
        trigger = f"{service}:{day}"
        if down * 100 >= budget * 5:
            expected.add((tenant, "fast_burn", trigger))
        expected |= {
            (tenant, name, trigger)
            for name, part in (("half_spent", 50), ("exhausted", 100))
            if before * 100 < budget * part <= total * 100
        }
        spent[tenant, service] = total
    assert wanted(built, "service_burn").keys() == expected
    assert {alert for _, alert, _ in expected} == {"fast_burn", "half_spent", "exhausted"}
    details = built.execute("select details from marts.act_requests where rule = 'service_burn'").fetchall()
    assert all(json.loads(text).keys() == {"alert", "service", "spent_percent"} for (text,) in details)
