"""Lines into authentic events: every reason, the order of the checks, whose event it is and when."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import Reject, Unmodelled
from core.intake import MAX_BODY_BYTES, Accepted, Account, Directory, Envelope, Rejected, read_line, take

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
START, END = AT - timedelta(days=1), AT + timedelta(days=1)
MICRO = timedelta(microseconds=1)


def account(tenant: str, *secrets: bytes, valid_from: datetime = START, valid_to: datetime | None = None) -> Account:
    return Account(tenant, "IN", valid_from, valid_to, secrets)


DIRECTORY = Directory(
    {
        ("platform", "ws_1"): [account("one", b"old", b"new")],
        ("platform", "ws_moved"): [account("one", b"k", valid_to=AT), account("two", b"k", valid_from=AT, valid_to=END)],
        ("whatsapp", "1001"): [account("one", b"app")],
        ("whatsapp", "2001"): [account("one", b"app")],
        ("whatsapp", "1002"): [account("two", b"app")],
        ("whatsapp", "2002"): [account("two", b"app")],
        ("whatsapp", "1003"): [account("three", b"own")],
        ("whatsapp", "2003"): [account("three", b"own")],
        ("razorpay", "acc_1"): [account("one", b"rzp")],
    }
)


def turn(**changes: Any) -> str:
    given = {"type": "lead.changed", "id": "1", "account_id": "ws_1", "occurred_at": "2026-03-01T08:00:00Z", "kind": "won"}
    return json.dumps(given | {"contact": {"kind": "phone", "value": "+919812345678"}} | changes)


def signed(body: str, secret: bytes = b"new", source: str = "platform", at: datetime = AT) -> Envelope:
    name, start = {
        "platform": ("X-Flexoraa-Signature", ""),
        "whatsapp": ("X-HUB-Signature-256", "sha256="),
        "razorpay": ("x-razorpay-SIGNATURE", ""),
    }[source]
    return Envelope(source, at, {name: start + hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()}, body)


def whatsapp(*numbers: str, **item: Any) -> str:
    message = {"id": "w", "from": "919812345678", "timestamp": "1772352000", "type": "text", "text": {"body": "x"}} | item
    entries = [
        {"id": f"2{each[1:]}", "changes": [{"field": "messages", "value": {"metadata": {"phone_number_id": each}, "messages": [message]}}]}
        for each in numbers
    ]
    return json.dumps({"object": "whatsapp_business_account", "entry": entries})


def outcomes(envelope: Envelope) -> list[tuple[str, str]]:
    """Tenant, and `ok` or why not, of all that a webhook says."""
    found = list(take(envelope, DIRECTORY))
    assert found
    return [(each.account.tenant_id, "ok") if isinstance(each, Accepted) else (each.tenant_id, each.reject.reason) for each in found]


LINE = {"source": "platform", "received_at": "2026-03-01T08:00:00Z", "headers": {}, "body": "{}"}


@pytest.mark.parametrize(
    ("line", "reason", "where"),
    [
        (b"hello", "bad_line", "$"),
        (b'"hello"', "bad_line", "$"),
        (b"[]", "bad_line", "$"),
        (b"{}", "bad_line", "$"),
        (b'{"source":"platform"', "bad_line", "$"),
        (json.dumps(LINE | {"headers": {"a": 1}}).encode(), "bad_line", "$"),
        (json.dumps(LINE | {"body": {"a": 1}}).encode(), "bad_line", "$"),
        (json.dumps(LINE | {"received_at": "now"}).encode(), "bad_line", "$"),
        (json.dumps(LINE | {"received_at": "2026-03-01T08:00:00"}).encode(), "bad_line", "$.received_at"),
        (json.dumps(LINE | {"received_at": "0001-01-01T00:00:00+14:00"}).encode(), "bad_line", "$.received_at"),
        (json.dumps(LINE | {"received_at": "9999-12-31T23:59:59-14:00"}).encode(), "bad_line", "$.received_at"),
        (b'{"more":' + b"[" * 9999 + b"]" * 9999 + b"}", "bad_line", "$"),
        (json.dumps(LINE).encode().replace(b'"{}"', b'"\\ud800 "'), "bad_line", "$"),
        (json.dumps(LINE).encode().replace(b"{}", b"\xff"), "invalid_utf8", "$"),
        (json.dumps(LINE).encode().replace(b"{}", b"\xed\xa0\x80"), "invalid_utf8", "$"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_envelope_says_why(line: bytes, reason: str, where: str) -> None:
    found = read_line(line)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == (reason, where)


def test_an_envelope_is_in_utc_whatever_its_offset() -> None:
    found = read_line(json.dumps(LINE | {"received_at": "2026-03-01T13:30:00.000001+05:30", "more": 1}).encode())
    assert found == Envelope("platform", AT + MICRO, {}, "{}")
    assert isinstance(found, Envelope)
    assert found.received_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (signed(turn()), ("one", "ok")),
        (signed(turn(), b"old"), ("one", "ok")),
        (signed(turn(), b"older"), ("one", "wrong_signature")),
        (Envelope("platform", AT, {}, turn()), ("one", "wrong_signature")),
        (Envelope("telex", AT, {}, turn()), ("", "unknown_source")),
        (Envelope("_common", AT, {}, turn()), ("", "unknown_source")),
        (signed(turn(account_id="ws_9")), ("", "unknown_account")),
        (signed(turn(account_id=None)), ("one", "bad_shape")),
        (signed(turn(account_id=None), b"nobodys"), ("", "unknown_account")),
        (signed(turn(account_id=5)), ("", "bad_shape")),
        (signed("[]"), ("", "bad_shape")),
        (signed('{"a":' + "[" * 9999 + "]" * 9999 + "}"), ("", "bad_shape")),
        (signed("{"), ("", "not_json")),
        (signed("x" * (MAX_BODY_BYTES + 1)), ("", "too_large")),
        (signed("é" * (MAX_BODY_BYTES // 2 + 1)), ("", "too_large")),
        (signed(turn(type="lead.teleported")), ("one", "ok")),
        (signed(turn(kind="dreamt")), ("one", "bad_shape")),
        (signed(turn(occurred_at="2026-03-01T08:00:00")), ("one", "bad_time")),
        (signed(whatsapp("1001", timestamp="soon"), b"app", "whatsapp"), ("one", "bad_time")),
        (signed('{"event":"x","account_id":"acc_1","created_at":1}', b"rzp", "razorpay"), ("one", "ok")),
        (signed('{"event":"x"}', b"rzp", "razorpay"), ("one", "ok")),
        (signed('{"event":"x"}', b"other", "razorpay"), ("", "unknown_account")),
        (signed('{"entry":[{"id":"2001","changes":[]}]}', b"app", "whatsapp"), ("one", "bad_shape")),
    ],
)  # fmt: skip
def test_every_webhook_is_somebodys_or_says_why_not(envelope: Envelope, expected: tuple[str, str]) -> None:
    assert outcomes(envelope) == [expected]


def test_a_body_of_the_largest_size_is_still_read() -> None:
    body = turn()
    assert outcomes(signed(body + " " * (MAX_BODY_BYTES - len(body)))) == [("one", "ok")]


def test_nothing_is_decoded_before_its_signature_holds() -> None:
    broken = (turn(kind="dreamt"), turn(type=""), turn(occurred_at="2026"))
    assert [outcomes(signed(body, b"wrong")) for body in broken] == [[("one", "wrong_signature")]] * 3
    assert [outcomes(signed(body)) for body in broken] != [[("one", "wrong_signature")]] * 3
    # and an account is looked up before a signature is tried
    assert outcomes(signed(turn(account_id="ws_9"), b"wrong")) == [("", "unknown_account")]


@pytest.mark.parametrize(
    ("received_at", "expected"),
    [
        (START - MICRO, ("", "unknown_account")),
        (START, ("one", "ok")),
        (AT - MICRO, ("one", "ok")),
        (AT, ("two", "ok")),
        (END - MICRO, ("two", "ok")),
        (END, ("", "unknown_account")),
    ],
)
def test_an_account_is_whose_it_was_when_the_webhook_arrived(received_at: datetime, expected: tuple[str, str]) -> None:
    assert outcomes(signed(turn(account_id="ws_moved"), b"k", at=received_at)) == [expected]


def test_tenants_of_one_app_share_a_body_and_keep_their_own_part() -> None:
    assert outcomes(signed(whatsapp("1001", "1002", "1001"), b"app", "whatsapp")) == [("one", "ok"), ("two", "ok"), ("one", "ok")]


def test_a_tenant_cannot_speak_for_one_of_another_app() -> None:
    mixed = whatsapp("1003", "1001", "1009")
    assert outcomes(signed(mixed, b"own", "whatsapp")) == [("three", "ok"), ("", "wrong_signature"), ("", "unknown_account")]
    assert outcomes(signed(mixed, b"app", "whatsapp")) == [("", "wrong_signature"), ("one", "ok"), ("", "unknown_account")]
    broken = whatsapp("1003", "1001", timestamp="soon")
    assert outcomes(signed(broken, b"own", "whatsapp")) == [("three", "bad_time"), ("", "wrong_signature")]


def test_a_broken_part_is_held_for_the_tenant_whose_part_it_is() -> None:
    body = json.loads(whatsapp("1001", "1002"))
    body["entry"][1]["changes"][0]["value"]["messages"] = "none"
    assert outcomes(signed(json.dumps(body), b"app", "whatsapp")) == [("one", "ok"), ("two", "bad_shape")]
    body["entry"][1]["changes"][0]["field"] = "brand_new"
    assert outcomes(signed(json.dumps(body), b"app", "whatsapp")) == [("one", "ok"), ("two", "ok")]
    body["entry"][1]["changes"] = [{"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}]
    assert outcomes(signed(json.dumps(body), b"app", "whatsapp")) == [("one", "ok"), ("two", "bad_time")]


def test_what_a_stranger_writes_is_not_repeated() -> None:
    for envelope in (Envelope("Asha 98765\x00", AT, {}, "{}"), signed('{"Asha 98765":}'), signed('{"account_id":"Asha 98765"}')):
        (found,) = take(envelope, DIRECTORY)
        assert isinstance(found, Rejected)
        assert "Asha" not in found.source + found.reject.detail + found.reject.where


def test_the_bytes_that_were_signed_survive_either_way_of_escaping_the_line() -> None:
    envelope = signed(json.dumps({**json.loads(turn()), "note": "नमस्ते 🙂 \u2028 \\u0041"}, ensure_ascii=False))
    content = {"source": "platform", "received_at": AT.isoformat(), "headers": envelope.headers, "body": envelope.body}
    for is_ascii in (True, False):
        found = read_line(json.dumps(content, ensure_ascii=is_ascii).encode())
        assert found == envelope
        assert outcomes(envelope) == [("one", "ok")]


SECRETS_OF_TWO = Directory({("razorpay", "acc_1"): [account("one", b"same")], ("razorpay", "acc_2"): [account("two", b"same", b"own")]})


def test_a_body_that_names_no_account_is_of_the_one_whose_secret_signs_it_and_of_nobody_where_two_have_that_secret() -> None:
    body = '{"event":"x","created_at":1772352000}'
    (found,) = take(signed(body, b"own", "razorpay"), SECRETS_OF_TWO)
    assert isinstance(found, Accepted)
    assert (found.account.tenant_id, found.event.account_id) == ("two", "acc_2")
    (refused,) = take(signed(body, b"same", "razorpay"), SECRETS_OF_TWO)
    assert isinstance(refused, Rejected)
    assert (refused.tenant_id, refused.reject.reason) == ("", "unknown_account")
    assert "2 accounts" in refused.reject.detail


def test_an_event_whose_body_tells_no_time_happened_when_it_was_received() -> None:
    (found,) = take(signed('{"event":"x","account_id":"acc_1"}', b"rzp", "razorpay"), DIRECTORY)
    assert isinstance(found, Accepted)
    assert isinstance(found.event, Unmodelled)
    assert (found.event.kind, found.event.occurred_at) == ("x", AT)


ROTATED = (b"old", b"new")
SIGNED_BODIES = {
    "whatsapp": '{"entry":[{"id":"acc","changes":[{"field":"new","value":{}}]}]}',
    "messenger": '{"entry":[{"id":"acc","changes":[{"field":"new","value":{}}]}]}',
    "instagram": '{"entry":[{"id":"acc","changes":[{"field":"new","value":{}}]}]}',
    "razorpay": '{"event":"new","account_id":"acc"}',
    "platform": '{"type":"new","account_id":"acc"}',
    "calendly": '{"event":"new","payload":{},"created_by":"https://api.calendly.com/users/acc"}',
    "gmail": '{"emailAddress":"acc","new":1}',
}


def signing(source: str, body: str, secret: bytes) -> dict[str, str]:
    """The vendor's header for a body under a secret."""
    stamp = f"{int(AT.timestamp())}"
    told = f"{stamp}.{body}" if source == "calendly" else body
    digest = hmac.new(secret, told.encode(), hashlib.sha256).hexdigest()
    return {
        "razorpay": {"X-Razorpay-Signature": digest},
        "calendly": {"Calendly-Webhook-Signature": f"t={stamp},v1={digest}"},
        "gmail": {"X-Flexoraa-Signature": digest},
        "platform": {"X-Flexoraa-Signature": digest},
    }.get(source, {"X-Hub-Signature-256": f"sha256={digest}"})


@pytest.mark.parametrize("source", sorted(SIGNED_BODIES))
def test_while_a_secret_is_rotated_both_sign_and_no_third(source: str) -> None:
    body = SIGNED_BODIES[source]
    kept = (
        tuple(json.dumps({"audience": "a", "email": "e", "secret": each.decode()}).encode() for each in ROTATED)
        if source == "gmail"
        else ROTATED
    )
    directory = Directory({(source, "acc"): [account("one", *kept)]})
    for secret, expected in ((b"old", "ok"), (b"new", "ok"), (b"older", "wrong_signature")):
        (found,) = take(Envelope(source, AT, signing(source, body, secret), body), directory)
        assert ("ok" if isinstance(found, Accepted) else found.reject.reason) == expected


def test_a_signature_is_as_old_as_it_was_at_receipt() -> None:
    body = SIGNED_BODIES["calendly"]
    directory = Directory({("calendly", "acc"): [account("one", b"new")]})
    for late, expected in ((timedelta(minutes=3), Accepted), (timedelta(minutes=3, microseconds=1), Rejected)):
        (found,) = take(Envelope("calendly", AT + late, signing("calendly", body, b"new"), body), directory)
        assert isinstance(found, expected)


@given(st.lists(st.tuples(st.sampled_from(["ws_1", "ws_moved", "nobody"]), st.integers(-3, 3)), max_size=30))
def test_what_is_remembered_of_an_account_holds_for_its_time_alone(asked: list[tuple[str, int]]) -> None:
    """One directory asked again and again, at moments around its changes, answers as one that is asked for the first time."""
    remembering = Directory(DIRECTORY.accounts)
    for account_id, micros in asked:
        for moment in (AT + micros * MICRO, END + micros * MICRO, START + micros * MICRO):
            fresh = Directory(DIRECTORY.accounts)
            found = remembering.holders("platform", [account_id], moment)
            again = fresh.holders("platform", [account_id], moment)
            assert (found.known, found.by_secret) == (again.known, again.by_secret)
            account = fresh.at("platform", account_id, moment)
            assert found.known == ({} if account is None else {account_id: account})
