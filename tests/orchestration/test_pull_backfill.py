"""Razorpay's and Calendly's past read over real HTTP: all of it, once, wherever reading was broken off, and in agreement with webhooks."""

import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from assets.ingest import take_in_all
from core.events import Appointment, Payment
from core.pulling import Pulled
from orchestration.resources.clock import FixedClock
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.pull import handover
from orchestration.resources.pull.http import PullUsageError
from tests.orchestration.pulling import KEY, NOW, Pulling, meeting, payment, refund, settlement

SINCE = NOW - timedelta(days=30)


def told(pulled: Sequence[Pulled]) -> dict[str, tuple[str, int]]:
    return {each.resource: (each.state, each.items) for each in pulled}


def back_fill(pulling: Pulling, source: str, since: datetime = SINCE, until: datetime | None = None) -> Sequence[Pulled]:
    return pulling.pull().back_fill(source, since, until, pulling.name)


def plant(pulling: Pulling, count: int) -> None:
    """So many payments, some refunds and settlements, several in one second."""
    items = pulling.vendors.razorpay.items
    for number in range(count):
        at = SINCE + timedelta(seconds=number * 600 // 3)
        items["payments"].append(payment(number, at, status="failed" if number % 5 == 4 else "captured"))
        if number % 10 == 0:
            items["refunds"].append(refund(number, at + timedelta(hours=1)))
        if number % 50 == 0:
            items["settlements"].append(settlement(number, at))


def subjects(pulling: Pulling) -> set[tuple[str, str]]:
    return {(each.kind, str(each.subject_id)) for each in pulling.events() if isinstance(each, Payment)}


def planted(pulling: Pulling) -> set[tuple[str, str]]:
    return {(f"{each['entity']}.listed.{each['status']}", each["id"]) for kept in pulling.vendors.razorpay.items.values() for each in kept}


def test_all_that_razorpay_lists_comes_in_and_ingestion_believes_it(pulling: Pulling) -> None:
    pulling.connect()
    plant(pulling, 250)
    assert told(back_fill(pulling, "razorpay")) == {"payments": ("done", 250), "refunds": ("done", 25), "settlements": ("done", 5)}
    assert subjects(pulling) == planted(pulling)
    assert len(pulling.segments()) == 3
    asked = [each for each in pulling.vendors.asked if "/payments?" in each]
    assert [each.partition("skip=")[2] for each in asked] == ["0", "100", "200", "250"]


def test_a_span_is_whole_at_both_ends_whatever_the_vendor_makes_of_its_limits(pulling: Pulling) -> None:
    pulling.connect()
    until = SINCE + timedelta(days=1)
    moments = [SINCE - timedelta(seconds=2), SINCE, until - timedelta(seconds=1), until + timedelta(seconds=2)]
    pulling.vendors.razorpay.items["payments"] += [payment(number, at) for number, at in enumerate(moments)]
    back_fill(pulling, "razorpay", SINCE, until)
    assert {"pay_000001", "pay_000002"} <= {subject for _, subject in subjects(pulling)} <= {f"pay_00000{number}" for number in (1, 2)}


def test_a_back_fill_that_was_broken_off_goes_on_under_its_own_end_and_a_finished_one_begins_anew(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PAGES_A_SEGMENT", 1)
    pulling.connect()
    plant(pulling, 450)
    vendors = pulling.vendors
    original, seen = vendors.razorpay.answer, []

    def failing(path: str, *rest: Any) -> Any:
        seen.append(path)
        return (400, {}) if len(seen) == 4 else original(path, *rest)

    vendors.razorpay.answer = failing  # type: ignore[method-assign]
    broken = back_fill(pulling, "razorpay")
    assert told(broken)["payments"][0] == "failed"
    assert told(broken)["refunds"] == ("done", 45)  # one resource's failure is no other's
    assert "HTTP 400" in broken[0].error
    vendors.asked.clear()
    pulling.time.moment = NOW + timedelta(days=1)
    vendors.razorpay.items["payments"].append(payment(999, NOW + timedelta(hours=1)))
    again = back_fill(pulling, "razorpay")
    assert told(again) == {"payments": ("done", 150), "refunds": ("done", 0), "settlements": ("done", 0)}
    assert vendors.asked[0].endswith("skip=300")
    assert not any("/refunds" in each for each in vendors.asked)
    assert ("payment.listed.captured", "pay_000999") not in subjects(pulling)
    assert told(back_fill(pulling, "razorpay"))["payments"] == ("done", 451)
    assert subjects(pulling) == planted(pulling)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["razorpay", "calendly"])
def test_nothing_is_lost_and_nothing_doubled_whatever_fails(pulling: Pulling, source: str, seed: int) -> None:
    pulling.connect()
    plant(pulling, 130)
    wanted = book(pulling, 25)
    pulling.vendors.rng, pulling.vendors.fault_share = random.Random(seed), 0.3
    while any(each.state != "done" for each in back_fill(pulling, source)):
        pass
    found = [each.event_id for each in pulling.events()]
    assert len(found) == len(set(found))
    if source == "razorpay":
        assert subjects(pulling) == planted(pulling)
    else:
        assert {each.appointment_id for each in pulling.events() if isinstance(each, Appointment)} == wanted


def book(pulling: Pulling, count: int) -> set[str]:
    """So many meetings with up to 120 invitees; their URIs."""
    wanted = set()
    for number in range(count):
        event, invitees = meeting(number, SINCE + timedelta(days=1, minutes=number), guests=120 if number == 7 else number % 3)
        pulling.vendors.calendly.meetings.append(event)
        pulling.vendors.calendly.invitees[f"E{number}"] = invitees
        wanted |= {each["uri"] for each in invitees}
    return wanted


def test_all_bookings_come_in_with_their_meetings_and_without_their_passwords(pulling: Pulling) -> None:
    pulling.connect()
    wanted = book(pulling, 45)
    pulled = back_fill(pulling, "calendly")
    assert told(pulled) == {"bookings": ("done", len(wanted))}
    found = [each for each in pulling.events() if isinstance(each, Appointment)]
    assert {each.appointment_id for each in found} == wanted
    assert len(found) == len(wanted)
    assert all(each.starts_at and each.ends_at and each.event_type_id == "T1" for each in found)
    assert not any(b"hunter2" in path.read_bytes() for path in pulling.segments())
    assert any("organization=" in each for each in pulling.vendors.asked)


def test_a_users_account_lists_its_own_bookings_and_somebody_elses_token_is_refused(pulling: Pulling) -> None:
    pulling.connect()
    book(pulling, 3)
    pulling.vendors.calendly.organization, pulling.vendors.calendly.user = "ORG9", pulling.calendar
    assert told(back_fill(pulling, "calendly"))["bookings"][0] == "done"
    assert any("user=" in each for each in pulling.vendors.asked)
    pulling.vendors.calendly.user = "USR9"
    (refused,) = back_fill(pulling, "calendly", SINCE - timedelta(days=1))
    assert "its access_token is of another user and organization" in refused.error


def test_a_meeting_that_is_deleted_while_it_is_listed_stops_nothing(pulling: Pulling) -> None:
    pulling.connect()
    wanted = book(pulling, 6)
    del pulling.vendors.calendly.invitees["E4"]
    back_fill(pulling, "calendly")
    found = {each.appointment_id for each in pulling.events() if isinstance(each, Appointment)}
    assert found == {each for each in wanted if "/E4/" not in each}


def test_a_listed_booking_and_its_webhook_are_one_event_in_either_order(pulling: Pulling) -> None:
    pulling.connect()
    event, (guest,) = meeting(1, SINCE + timedelta(days=9), guests=1, name="Asha")
    gone = {"canceler_type": "host", "reason": "ill", "created_at": "2026-11-01T08:00:00.000000Z"}
    guest |= {"status": "canceled", "cancellation": gone, "updated_at": gone["created_at"]}
    pulling.vendors.calendly.meetings.append(event)
    pulling.vendors.calendly.invitees["E1"] = [guest]
    back_fill(pulling, "calendly")
    listed = pulling.events()
    pulling.clear()
    by = {"created_by": f"https://api.calendly.com/organizations/{pulling.calendar}"}
    before = guest | {"status": "active", "cancellation": None}
    bodies = [
        {"event": "invitee.created", "created_at": guest["created_at"], "payload": before | {"scheduled_event": event}} | by,
        {"event": "invitee.canceled", "created_at": gone["created_at"], "payload": guest | {"scheduled_event": event}} | by,
    ]
    for number, each in enumerate(bodies):
        raw = json.dumps(each)
        stamp = int(NOW.timestamp())
        signature = hmac.new(b"signing key", f"{stamp}.{raw}".encode(), hashlib.sha256).hexdigest()
        headers = {"Calendly-Webhook-Signature": f"t={stamp},v1={signature}"}
        line = {"source": "calendly", "received_at": NOW.isoformat(), "headers": headers, "body": raw}
        (pulling.settings.inbox / f"hook{number}.ndjson").write_text(json.dumps(line) + "\n")
    assert pulling.events() == listed
    assert [each.kind for each in listed if isinstance(each, Appointment)] == ["booked", "cancelled"]


def test_what_is_back_filled_twice_is_in_the_lake_as_repeats_of_the_same_rows(pulling: Pulling, tmp_path: Path) -> None:
    pulling.connect()
    plant(pulling, 120)
    inbox, lake = FolderInbox(pulling.settings.inbox), FolderLake(tmp_path / "lake")
    ledger = PostgresLedger(pulling.state, pulling.vault, FixedClock(NOW))
    rows = []
    for _ in range(2):
        back_fill(pulling, "razorpay")
        pulling.time.moment += timedelta(minutes=1)
        take_in_all(inbox, lake, ledger, pulling.vault, TerminalProgress(quiet=True))
        rows.append(lake_rows(tmp_path / "lake"))
    assert len(set(rows[0])) == len(rows[0]) == sum(map(len, pulling.vendors.razorpay.items.values()))
    assert len(rows[1]) == 2 * len(rows[0])
    assert set(rows[1]) == set(rows[0])


def lake_rows(lake: Path) -> list[tuple[Any, ...]]:
    """All payments but what tells one telling from another."""
    import duckdb

    own = "event_id, kind, subject_id, payment_id, refund_id, amount_minor, fee_minor, occurred_at, contact_point_id"
    with duckdb.connect() as connection:
        return connection.execute(f"select {own} from read_parquet('{lake}/payments/*/*.parquet') order by all").fetchall()


def test_a_dry_run_counts_and_leaves_nothing_behind(pulling: Pulling) -> None:
    pulling.connect()
    plant(pulling, 120)
    pulled = pulling.pull(is_dry=True).back_fill("razorpay", SINCE, None, None)
    assert told(pulled) == {"payments": ("done", 120), "refunds": ("done", 12), "settlements": ("done", 3)}
    assert pulling.segments() == []
    with pulling.state.begin() as connection:
        count = connection.execute(text("select count(*) from ops.pull_cursors where tenant_id = :name"), {"name": pulling.name}).scalar()
    assert count == 0


def test_an_account_is_asked_at_its_own_pace(pulling: Pulling) -> None:
    pulling.connect()
    plant(pulling, 250)
    pull = pulling.pull()
    started = pulling.time.moment
    replace(pull, settings=replace(pull.settings, pull_per_second=2.0)).back_fill("razorpay", SINCE, None, pulling.name)
    requests = len(pulling.vendors.asked)
    assert (pulling.time.moment - started).total_seconds() == pytest.approx((requests - 5) / 2.0, abs=0.01)


def test_wrong_use_says_what_there_is_and_asks_nobody(pulling: Pulling) -> None:
    with pytest.raises(PullUsageError, match="no tenant has a razorpay connection with an access_token"):
        pulling.pull().back_fill("razorpay", SINCE, None, None)
    pulling.connect(RZP_KEY=None)
    for source, until, tenant, said in (
        ("razorpay", None, pulling.name, f"tenant {pulling.name} has no razorpay connection with an access_token"),
        ("gmail", None, None, "there is one of razorpay, calendly"),
        ("calendly", SINCE, pulling.name, "before it begins"),
    ):
        with pytest.raises(PullUsageError, match=said):
            pulling.pull().back_fill(source, SINCE, until, tenant)
    assert pulling.vendors.asked == []


@pytest.mark.parametrize("key", ["rzp:sécret", "token with\na line", "tökén"])
def test_a_token_that_no_request_can_carry_is_told_without_being_shown(pulling: Pulling, key: str) -> None:
    pulling.connect(RZP_KEY=key)
    plant(pulling, 1)
    pulled = back_fill(pulling, "razorpay")
    assert {each.state for each in pulled} == {"failed"}
    assert not any(key in each.error or "cret" in each.error for each in pulled)


def test_a_meeting_without_a_name_is_no_reason_to_pass_over_its_invitees(pulling: Pulling) -> None:
    pulling.connect()
    book(pulling, 3)
    del pulling.vendors.calendly.meetings[1]["uri"]
    (failed,) = back_fill(pulling, "calendly")
    assert "in a shape that is not known ($.collection[1])" in failed.error.replace("`", "")


def test_an_expired_key_fails_only_its_own_account(pulling: Pulling) -> None:
    pulling.connect()
    plant(pulling, 10)
    pulling.vendors.razorpay.keys.clear()
    pulled = back_fill(pulling, "razorpay")
    assert {each.state for each in pulled} == {"failed"}
    assert all(f"tenant {pulling.name}, connection pay: " in each.error and KEY not in each.error for each in pulled)
