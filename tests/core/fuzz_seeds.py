"""Well-formed bodies, a few of each source, from which the fuzzer starts; written here, from the vendors' references.

Not here: mutating them (`test_fuzz.py`).
"""

import base64
import json
from typing import Any

_NUMBER = {"metadata": {"display_phone_number": "15550001111", "phone_number_id": "1001"}}
_CONTACTS = {"contacts": [{"wa_id": "919812345678", "user_id": "IN.5", "profile": {"name": "Asha"}}]}
_ITEM = {"id": "wamid.1", "from": "919812345678", "timestamp": "1760000000"}
_SYNCED = {
    "type": "contact", "action": "add", "metadata": {"timestamp": "1760000000"},
    "contact": {"full_name": "Asha", "phone_number": "919812345678"},
}  # fmt: skip
_AT = "2026-03-01T08:00:00.000000Z"


def _whatsapp(field: str, /, **value: Any) -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "2001", "time": 1760000000, "changes": [{"field": field, "value": value}]}],
    }


def _meta(**said: Any) -> dict[str, Any]:
    item = {"sender": {"id": "7001"}, "recipient": {"id": 1001}, "timestamp": 1760000000123} | said
    return {"entry": [{"id": "1001", "time": 1760000000999, "messaging": [item]}]}


def _razorpay(event: str, /, **entities: Any) -> dict[str, Any]:
    payload = {name.replace("__", "."): {"entity": entity} for name, entity in entities.items()}
    return {"event": event, "account_id": "acc_1", "created_at": 1760000000, "payload": payload}


def _platform(kind: str, /, **said: Any) -> dict[str, Any]:
    contact = {"kind": "phone", "value": "+919812345678"}
    return {"type": kind, "id": "id_1", "account_id": "ws_1", "occurred_at": _AT, "contact": contact} | said


def _b64(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode()


_PAY = {"id": "pay_1", "amount": 500, "currency": "INR", "order_id": "order_1", "contact": "+919812345678", "fee": 1, "tax": 0, "notes": []}
_INVITEE = {
    "uri": "https://api.calendly.com/scheduled_events/E1/invitees/I1", "event": "https://api.calendly.com/scheduled_events/E1",
    "email": "a@b.co", "name": "Asha", "timezone": "Asia/Kolkata", "text_reminder_number": "+919812345678", "rescheduled": True,
    "new_invitee": "https://x", "old_invitee": None, "questions_and_answers": [{"question": "Q", "answer": "A", "position": 0}],
    "tracking": {"utm_source": "x"}, "cancellation": {"canceler_type": "host", "reason": "ill"}, "no_show": {"uri": "https://n"},
    "scheduled_event": {"start_time": _AT, "end_time": _AT, "event_type": "https://e/T1", "location": {"data": {"password": "p"}}},
}  # fmt: skip
_OLD = {
    "event": {"uuid": "E1", "start_time": _AT}, "invitee": {"uuid": "I1", "email": "a@b.co", "created_at": _AT}, "event_type": {"uuid": "T1"},
    "tracking": {}, "old_event": {"uuid": "E0"}, "old_invitee": {"uuid": "I0"},
}  # fmt: skip
_HEADERS = [
    {"name": n, "value": v} for n, v in (("From", "Asha <a@b.co>"), ("To", "s@t.co, =?utf-8?q?x?= <c@d.co>"), ("Message-ID", "<1@b>"))
]
_PARTS = [
    {
        "mimeType": "text/html",
        "headers": [{"name": "Content-Type", "value": "text/html; charset=utf-16"}],
        "body": {"data": _b64("<p>x</p>")},
    },
    {"mimeType": "multipart/alternative", "parts": [{"mimeType": "text/plain", "body": {"data": _b64("hello\n> quoted")}}]},
]
_MAIL = {
    "emailAddress": "s@t.co", "id": "g1", "labelIds": ["INBOX"], "internalDate": "1760000000000", "snippet": "s",
    "payload": {"mimeType": "multipart/mixed", "headers": _HEADERS, "parts": _PARTS},
}  # fmt: skip
_PLACE = _b64(json.dumps({"emailAddress": "s@t.co", "historyId": 5}))

SEEDS: dict[str, list[Any]] = {
    "whatsapp": [
        _whatsapp("messages", **_NUMBER, **_CONTACTS, messages=[_ITEM | {"type": "text", "text": {"body": "x"}, "context": {"id": "w0"}}]),
        _whatsapp("messages", **_NUMBER, messages=[_ITEM | {"type": "system", "system": {"type": "user_changed_number", "wa_id": "9198"}}]),
        _whatsapp("messages", **_NUMBER, messages=[_ITEM | {"type": "interactive", "interactive": {"nfm_reply": {"body": "Sent"}}}]),
        _whatsapp("messages", **_NUMBER, statuses=[_ITEM | {"status": "failed", "recipient_id": "9198", "errors": [{"code": 131047}]}]),
        _whatsapp("messages", **_NUMBER, **_CONTACTS, messages=[_ITEM | {"type": "hologram", "hologram": {"x": "y"}}, _ITEM | {"poll": {"x": "y"}}]),
        _whatsapp("calls", **_NUMBER, calls=[_ITEM | {"event": "connect", "to": "15550001111"}], statuses=[_ITEM | {"status": "RINGING"}]),
        _whatsapp("group_participants_update", **_NUMBER, groups=[_ITEM | {"type": "add", "added_participants": [{"wa_id": 9, "user_id": "u"}]}]),
        _whatsapp("user_preferences", **_NUMBER, user_preferences=[{"wa_id": "9198", "value": "stop", "timestamp": 1760000000}]),
        _whatsapp("user_id_update", **_NUMBER, user_id_update=[{"user_id": {"previous": "a", "current": "b"}, "timestamp": "1760000000"}]),
        _whatsapp("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"}, restriction_info=[{"expiration": 1760000000}]),
        _whatsapp("history", **_NUMBER, history=[{"metadata": {"phase": 0}, "threads": [{"id": "919812345678", "messages": [_ITEM]}]}]),
        _whatsapp("smb_app_state_sync", **_NUMBER, state_sync=[_SYNCED]),
        _whatsapp("brand_new", x=[{"y": 1}]),
    ],
    "messenger": [
        _meta(message={"mid": "m1", "text": "x", "is_echo": True, "app_id": 5, "attachments": [{"type": "image"}], "reply_to": {"mid": "m0"}}),
        _meta(message={"mid": "m2", "poll": {"x": "y"}, "attachments": [{"type": "hologram", "payload": {"x": "y"}}]}),
        _meta(reaction={"mid": "m1", "action": "react", "emoji": "❤"}),
        _meta(postback={"title": "t", "payload": "p", "referral": {"ad_id": 5}}),
        _meta(delivery={"mids": ["m1"], "watermark": 1760000000123}),
        _meta(read={"watermark": "1760000000123"}),
        _meta(payment={"amount": {"currency": "USD", "amount": 29.62}, "payment_credential": {"charge_id": "c"}}),
        _meta(app_roles={"5": ["primary_receiver"]}),
        {"entry": [{"id": 1001, "time": 1760000000, "changes": [{"field": "comments", "value": {"id": "c", "text": "x", "from": {"id": "7"}}}]}]},
        {"entry": [{"id": 1001, "time": 1760000000, "changes": [{"field": "leadgen", "value": {"leadgen_id": 5, "created_time": 1760000000}}]}]},
    ],
    "razorpay": [
        _razorpay("payment.captured", payment=_PAY),
        _razorpay("refund.processed", refund={"id": "rfnd_1", "amount": 5, "currency": "INR", "payment_id": "pay_1"}, payment=_PAY),
        _razorpay("payment_link.cancelled", payment_link={"id": "plink_1", "amount": 5, "currency": "INR", "customer": {"email": "a@b.co"}}),
        _razorpay("settlement.processed", settlement={"id": "setl_1", "amount": 5, "fees": 1, "tax": 0}),
        _razorpay("payment.downtime.started", payment__downtime={"id": "down_1", "status": "started", "updated_at": 1760000000}),
        _razorpay("token.confirmed", token={"id": "token_1"}),
        {"account_id": "acc_1", "items": [_PAY | {"entity": "payment", "status": "captured", "created_at": 1760000000}, {"entity": "order"}]},
    ],
    "calendly": [
        {"event": "invitee.canceled", "created_at": _AT, "created_by": "https://api.calendly.com/users/U1", "payload": _INVITEE},
        {"event": "invitee_no_show.created", "created_at": _AT, "payload": _INVITEE},
        {"event": "invitee.created", "payload": _OLD},
        {"event": "routing_form_submission.created", "created_at": _AT, "payload": {"uri": "u", "submitter": "s", "submitter_type": "Invitee"}},
        {"created_by": "https://api.calendly.com/users/U1", "scheduled_event": {"start_time": _AT}, "pagination": {},
         "collection": [_INVITEE | {"status": "canceled", "created_at": _AT, "updated_at": _AT}]},
        {"event": "invitee.levitated", "created_at": _AT, "payload": _INVITEE},
    ],
    "gmail": [
        _MAIL,
        {"emailAddress": "s@t.co", "id": "t1", "historyId": "5", "messages": [_MAIL, _MAIL | {"labelIds": ["SPAM"]}]},
        {"message": {"data": _PLACE, "messageId": "p1", "publishTime": _AT}, "subscription": "s"},
        {"emailAddress": "s@t.co", "historyId": 5, "history": [{"id": "4", "messagesAdded": [{"message": {"id": "g1"}}]}]},
    ],
    "platform": [
        _platform("message.sent", channel="whatsapp", channel_account_id="1", message_id="w", author_type="ai", text="x"),
        _platform("ai_turn.completed", channel="whatsapp", confidence=0.5, next_action="ask", budget_minor=5),
        _platform("message.scheduled", schedule_id="s", kind="scheduled", channel="whatsapp", send_at=_AT, text="x"),
        _platform("lead.teleported"),
    ],
}  # fmt: skip
SEEDS["instagram"] = SEEDS["messenger"]
