"""Razorpay bodies into payments: every case is written here, from the vendor's reference, not from recorded bodies."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.events import UNTOLD, AccountEvent, Event, Payment, Point, Reject, Unmodelled
from core.sources import sources

SENT = 1_760_000_000
AT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
PAYMENT = {
    "id": "pay_1",
    "amount": 50000,
    "currency": "INR",
    "order_id": "order_1",
    "contact": "+919812345678",
    "email": "a@b.in",
    "notes": [],
}


def body(event: str, created_at: Any = SENT, account_id: str | None = "acc_1", **entities: Any) -> bytes:
    payload = {name: {"entity": entity} for name, entity in entities.items()}
    given = {"entity": "event", "event": event, "payload": payload, "account_id": account_id, "created_at": created_at}
    return json.dumps({name: value for name, value in given.items() if value is not None}).encode()


def decode(raw: bytes, event_id: str | None = "evt_1") -> Event | Reject:
    """The one thing that a body gives."""
    (found,) = sources()["razorpay"].decode(raw, {"x-razorpay-event-id": event_id} if event_id else {})
    return found


def payment(raw: bytes, event_id: str | None = "evt_1") -> Payment:
    found = decode(raw, event_id)
    assert isinstance(found, Payment)
    return found


def test_a_captured_payment_has_amount_fee_and_the_moment_of_capture() -> None:
    found = payment(body("payment.captured", payment=PAYMENT | {"fee": 1180, "tax": 180}))
    assert (found.payment_id, found.order_id, found.amount_minor, found.currency) == ("pay_1", "order_1", 50000, "INR")
    assert (found.fee_minor, found.tax_minor, found.captured_at, found.occurred_at) == (1180, 180, AT, AT)
    assert (found.contact, found.event_id, found.account_id) == (Point("razorpay_contact", "+919812345678"), "razorpay:evt_1", "acc_1")


@pytest.mark.parametrize("notes", [[], {}, {"plan": "tokens"}, None])
def test_notes_of_any_shape_are_no_matter(notes: Any) -> None:
    assert payment(body("payment.captured", payment=PAYMENT | {"notes": notes})).amount_minor == 50000


@pytest.mark.parametrize("event", ["payment.authorized", "payment.failed", "order.paid", "payment_link.paid", "invoice.paid"])
def test_all_that_tells_of_a_payment_speaks_of_the_payment(event: str) -> None:
    others = {"order": {"id": "order_1", "amount": 1}, "payment_link": {"id": "plink_1", "amount": 2}, "invoice": {"id": "inv_1"}}
    found = payment(body(event, payment=PAYMENT, **others))
    assert (found.kind, found.payment_id, found.amount_minor) == (event, "pay_1", 50000)
    assert found.captured_at == (AT if event.endswith(".paid") else None)


@pytest.mark.parametrize("event", ["payment.captured", "order.paid", "payment_link.paid", "invoice.paid"])
def test_nothing_was_captured_before_its_payment_was_begun(event: str) -> None:
    """payment_link.paid comes with the time at which its link was made."""
    for begun, told in ((SENT + 900, AT + timedelta(seconds=900)), (SENT, AT), (SENT - 900, AT)):
        found = payment(body(event, payment=PAYMENT | {"created_at": begun}))
        assert (found.occurred_at, found.captured_at) == (told, told)
    assert decode(body("payment.captured", payment=PAYMENT | {"id": "pay of Asha"})) == Reject(
        "bad_shape", "$.payload.payment.entity.id", "an id that none of Razorpay's looks like", "acc_1"
    )


def test_an_unknown_event_keeps_its_name_in_the_vendors_alphabet() -> None:
    for name in ("payout.pending-upi", "fund_account.validation.completed", "settlement.v2:processed"):
        found = decode(body(name, payout={"id": "pout_1"}))
        assert isinstance(found, Unmodelled)
        assert found.kind == name


def test_a_refund_has_its_own_amount_and_names_its_payment() -> None:
    refund = {"id": "rfnd_1", "amount": 20000, "currency": "INR", "payment_id": "pay_1", "notes": {}}
    for entities in ({"refund": refund, "payment": PAYMENT}, {"refund": refund}):
        found = payment(body("refund.processed", **entities))
        assert (found.refund_id, found.payment_id, found.amount_minor, found.dispute_id) == ("rfnd_1", "pay_1", 20000, None)


def test_a_dispute_has_its_own_amount_and_names_its_payment() -> None:
    dispute = {"id": "disp_1", "amount": 30000, "currency": "INR", "payment_id": "pay_1"}
    found = payment(body("payment.dispute.created", dispute=dispute, payment=PAYMENT))
    assert (found.dispute_id, found.payment_id, found.amount_minor, found.refund_id) == ("disp_1", "pay_1", 30000, None)
    assert found.contact == Point("razorpay_contact", "+919812345678")


def test_a_settlement_has_no_currency_and_no_payment() -> None:
    found = payment(body("settlement.processed", settlement={"id": "setl_1", "amount": 9, "fees": 2, "tax": 0}))
    assert (found.currency, found.amount_minor, found.fee_minor, found.tax_minor) == ("INR", 9, 2, 0)
    assert (found.payment_id, found.contact) == (None, None)


def test_a_payer_is_a_number_then_an_address_and_never_the_vendors_nobody() -> None:
    def payer(**entity: Any) -> Point | None:
        return payment(body("payment.captured", payment=PAYMENT | entity)).contact

    assert payer(contact=None) == Point("razorpay_contact", "a@b.in")
    assert payer(contact="") == Point("razorpay_contact", "a@b.in")
    assert payer(contact=None, email=None) is None
    assert payer(contact=None, email="void@razorpay.com") is None


def misplaced(top: Any, inner: Any) -> bytes:
    raw = json.loads(body("payment.captured", top, payment=PAYMENT))
    raw["payload"]["created_at"] = inner
    return json.dumps(raw).encode()


def test_a_misplaced_time_counts_only_where_there_is_no_other() -> None:
    found = payment(misplaced(None, SENT), event_id=None)
    assert (found.occurred_at, found.event_id) == (AT, f"razorpay:acc_1:payment.captured:pay_1:{SENT}")
    assert payment(misplaced(SENT, SENT + 9)).occurred_at == AT
    assert payment(misplaced(SENT, "yesterday")).occurred_at == AT
    for raw in (misplaced(None, "yesterday"), misplaced(None, None), body("payment.captured", None, payment=PAYMENT)):
        found = decode(raw)
        assert isinstance(found, Reject)
        assert (found.reason, found.where, found.account_id) == ("bad_time", "$.created_at", "acc_1")


def test_the_header_tells_repeats_and_without_it_entity_and_time_do() -> None:
    raw = body("payment.captured", payment=PAYMENT)
    assert payment(raw, "evt_7").event_id == "razorpay:evt_7"
    assert payment(raw, None).event_id == payment(raw, None).event_id
    others = [body("order.paid", payment=PAYMENT), body("payment.captured", SENT + 1, payment=PAYMENT), raw]
    assert len({payment(each, None).event_id for each in others}) == 3


HUGE = int("9" * 30)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("not_json", "$")),
        (b"[]", ("bad_shape", "$")),
        (b"{}", ("bad_shape", "$")),
        (b'{"event":"payment.captured","payload":[]}', ("bad_shape", "$.payload")),
        (b'{"event":"x","contains":' + b"[" * 9999 + b"]" * 9999 + b"}", ("bad_shape", "$")),
        (body("subscription.halted", payment=PAYMENT), ("bad_shape", "$.payload.subscription")),
        (body("payout.processed", payout={"id": "pout_1", "fees": 0}), ("bad_shape", "$.payload.payout.entity.amount")),
        (body("payment.captured"), ("bad_shape", "$.payload.payment")),
        (body("refund.processed", payment=PAYMENT), ("bad_shape", "$.payload.refund")),
        (body("payment.captured", payment=PAYMENT | {"amount": "1,200"}), ("bad_shape", "$.payload.payment.entity.amount")),
        (body("payment.captured", payment=PAYMENT | {"amount": 12.5}), ("bad_shape", "$.payload.payment.entity.amount")),
        (body("payment.captured", payment=PAYMENT | {"amount": HUGE}), ("bad_shape", "$.payload.payment.entity.amount")),
        (body("payment.captured", payment=PAYMENT | {"tax": -HUGE}), ("bad_shape", "$.payload.payment.entity.tax")),
        (body("payment.captured", payment=PAYMENT | {"currency": None}), ("bad_shape", "$.payload.payment.entity.currency")),
        (body("payment.captured", HUGE, payment=PAYMENT), ("bad_shape", "$.created_at")),
        (body("payment.captured", -1, payment=PAYMENT), ("bad_time", "$.created_at")),
        (body("payment.captured", 10**15, payment=PAYMENT), ("bad_time", "$.created_at")),
        (body("payment.captured", "soon", payment=PAYMENT), ("bad_shape", "$.created_at")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(raw: bytes, expected: tuple[str, str]) -> None:
    found = decode(raw)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == expected


def test_rejects_quote_nothing_that_may_be_personal() -> None:
    secret = "Asha 98765 asha@example.com\n\"'"
    bodies = [
        body("payment.captured", payment=PAYMENT | {"amount": secret}),
        body("payment.captured", secret),
    ]
    for raw in bodies:
        found = decode(raw)
        assert isinstance(found, Reject)
        assert not any(part in found.detail + found.where for part in ("Asha", "98765", "example"))


def test_a_body_may_name_no_account() -> None:
    accounts = sources()["razorpay"].accounts
    assert accounts(body("payment.captured")) == ["acc_1"]
    assert accounts(body("payment.captured", account_id=None)) == accounts(body("payment.captured", account_id="")) == []


def test_only_the_true_signature_of_these_bytes_holds() -> None:
    verify, raw = sources()["razorpay"].verify, body("payment.captured")
    digest = hmac.new(b"hook", raw, hashlib.sha256).hexdigest()
    assert verify({"x-razorpay-signature": digest}, raw, b"hook")
    assert not verify({"x-razorpay-signature": f"sha256={digest}"}, raw, b"hook")
    assert not verify({"x-razorpay-signature": digest}, raw + b"\n", b"hook")
    assert not verify({"x-razorpay-signature": digest}, raw, b"old")
    assert not verify({}, raw, b"hook")


def test_an_event_that_nobody_models_is_kept_whole_with_the_header_that_tells_repeats() -> None:
    raw = body("token.confirmed", token={"id": "token_1"})
    found = decode(raw, "evt_9")
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.account_id, found.event_id, found.occurred_at) == ("token.confirmed", "acc_1", "razorpay:evt_9", AT)
    kept = json.loads(found.fragment)
    assert (kept["headers"], kept["body"].encode()) == ({"x-razorpay-event-id": "evt_9"}, raw)
    named = decode(body("Asha 98765", None), None)
    assert isinstance(named, Unmodelled)
    assert (named.kind, named.occurred_at) == ("unknown", UNTOLD)


@pytest.mark.parametrize(
    ("event", "entities", "expected"),
    [
        ("payment_link.cancelled", {"payment_link": {"id": "plink_1", "amount": 900, "currency": "INR", "customer": {"contact": "+9198"}}},
         ("plink_1", None, 900, "+9198")),
        ("invoice.expired", {"invoice": {"id": "inv_1", "amount": 800, "currency": "INR", "customer_details": {"email": "a@b.co"}}},
         ("inv_1", None, 800, "a@b.co")),
        ("subscription.charged", {"subscription": {"id": "sub_1"}, "payment": PAYMENT}, ("pay_1", "pay_1", PAYMENT["amount"], None)),
        ("qr_code.credited", {"qr_code": {"id": "qr_1"}, "payment": PAYMENT}, ("pay_1", "pay_1", PAYMENT["amount"], None)),
        ("transfer.processed", {"transfer": {"id": "trf_1", "source": "pay_7", "recipient": "acc_2", "amount": 70, "currency": "INR"}},
         ("trf_1", "pay_7", 70, None)),
        ("transfer.failed", {"transfer": {"id": "trf_1", "source": "order_7", "amount": 70, "currency": "INR"}}, ("trf_1", None, 70, None)),
        ("payout.reversed", {"payout": {"id": "pout_1", "amount": 60, "currency": "INR", "fees": 5, "tax": 1}}, ("pout_1", None, 60, None)),
    ],
)  # fmt: skip
def test_whatever_has_an_amount_is_a_payment_event_about_its_subject(
    event: str, entities: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    found = payment(body(event, **entities))
    subject, payment_id, amount, contact = expected
    assert (found.kind, found.subject_id, found.payment_id, found.amount_minor) == (event, subject, payment_id, amount)
    if contact:
        assert found.contact == Point("razorpay_contact", contact)


@pytest.mark.parametrize(
    ("event", "name", "entity", "state"),
    [
        ("subscription.halted", "subscription", {"id": "sub_1", "status": "halted"}, "halted"),
        ("virtual_account.closed", "virtual_account", {"id": "va_1", "status": "closed", "receivers": []}, "closed"),
        ("payment.downtime.started", "payment.downtime", {"id": "down_1", "method": "upi"}, "started"),
        ("payout.downtime.resolved", "payout.downtime", {"id": "poutdown_1", "source": "BENEFICIARY"}, "resolved"),
        ("account.suspended", "account", {"id": "acc_1", "email": "owner@example.com"}, "suspended"),
    ],
)
def test_what_has_no_amount_is_news_of_the_account(event: str, name: str, entity: dict[str, Any], state: str) -> None:
    found = decode(body(event, **{name: entity}))
    assert isinstance(found, AccountEvent)
    assert (found.kind, found.subject, found.state, found.occurred_at) == (event, entity["id"], state, AT)


def test_only_where_the_event_has_no_time_its_entity_tells_it() -> None:
    entity = {"id": "poutdown_1", "created_at": SENT - 9, "updated_at": SENT}
    found = decode(body("payout.downtime.resolved", None, **{"payout.downtime": entity}))
    assert isinstance(found, AccountEvent)
    assert found.occurred_at == AT


def page(*items: Any, account_id: str = "acc_1") -> bytes:
    return json.dumps({"account_id": account_id, "entity": "collection", "count": len(items), "items": list(items)}).encode()


def listed(*items: Any) -> list[Event | Reject]:
    return list(sources()["razorpay"].decode(page(*items), {}))


def test_a_listed_entity_is_a_state_at_the_moment_at_which_it_was_made_and_no_event() -> None:
    paid = PAYMENT | {"entity": "payment", "status": "captured", "fee": 1180, "tax": 180, "created_at": SENT}
    back = {
        "entity": "refund",
        "id": "rfnd_1",
        "payment_id": "pay_1",
        "amount": 100,
        "currency": "INR",
        "status": "processed",
        "created_at": SENT,
    }
    settled = {
        "entity": "settlement",
        "id": "setl_1",
        "amount": 9,
        "status": "processed",
        "fees": 2,
        "tax": 1,
        "utr": "U",
        "created_at": SENT,
    }
    found = [each for each in listed(paid, back, settled) if isinstance(each, Payment)]
    assert [(each.kind, each.subject_id, each.payment_id, each.refund_id, each.amount_minor, each.fee_minor) for each in found] == [
        ("payment.listed.captured", "pay_1", "pay_1", None, 50000, 1180),
        ("refund.listed.processed", "rfnd_1", "pay_1", "rfnd_1", 100, None),
        ("settlement.listed.processed", "setl_1", None, None, 9, 2),
    ]
    assert {(each.occurred_at, each.account_id, each.captured_at) for each in found} == {(AT, "acc_1", None)}
    assert found[0].event_id == f"razorpay:acc_1:payment.listed.captured:pay_1:{SENT}"
    again = [each for each in listed(settled, paid) if isinstance(each, Payment)]
    assert {each.event_id for each in again} == {found[0].event_id, found[2].event_id}


def test_a_listed_entity_that_nobody_models_is_kept_alone_and_a_broken_one_is_refused_with_its_place() -> None:
    order = {"entity": "order", "id": "order_1", "amount": 5, "status": "paid", "created_at": SENT}
    kept, shapeless, stateless, untimed = listed(
        order,
        {"id": "pay_1"},
        PAYMENT | {"entity": "payment", "created_at": SENT},
        PAYMENT | {"entity": "payment", "status": "failed"},
    )
    assert isinstance(kept, Unmodelled)
    body_again = json.loads(json.loads(kept.fragment)["body"])
    assert (kept.kind, body_again["items"]) == ("order.listed", [order])
    (decoded,) = sources()["razorpay"].decode(json.loads(kept.fragment)["body"].encode(), {})
    assert isinstance(decoded, Unmodelled)
    assert decoded.event_id == kept.event_id
    for reject, place, reason in ((shapeless, 1, "bad_shape"), (stateless, 2, "bad_shape"), (untimed, 3, "bad_time")):
        assert isinstance(reject, Reject)
        assert (reject.reason, reject.where.startswith(f"$.items[{place}]"), reject.account_id) == (reason, True, "acc_1")


def test_an_empty_page_tells_of_nothing_and_a_page_is_signed_under_a_header_of_our_own() -> None:
    (nothing,) = listed()
    assert isinstance(nothing, Reject)
    assert nothing.reason == "not_an_event"
    raw = page(PAYMENT)
    own = hmac.new(b"secret", raw, hashlib.sha256).hexdigest()
    verify = sources()["razorpay"].verify
    assert verify({"x-flexoraa-signature": own}, raw, b"secret")
    assert not verify({"x-flexoraa-signature": own}, raw + b" ", b"secret")
    assert not verify({"x-flexoraa-signature": own}, raw, b"other")
    assert sources()["razorpay"].accounts(raw) == ["acc_1"]
