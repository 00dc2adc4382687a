"""Messenger and Instagram bodies into canonical events: every case is written here, from Meta's reference, not from recorded bodies."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.events import UNTOLD, AccountEvent, ContactEvent, Event, Message, MessageStatus, Payment, Point, Reject, Unmodelled
from core.sources import sources

PAGE, PERSON = "1001", "7001"
SENT = 1_760_000_000_123
AT = datetime(2025, 10, 9, 8, 53, 20, 123_000, tzinfo=UTC)
LATE = SENT + 3_600_000
LEAD = Point("psid", PERSON)


def entry(kept_in: str, *items: Any, **changes: Any) -> bytes:
    given = {"id": PAGE, "time": LATE, kept_in: list(items)} | changes
    return json.dumps({"object": "page", "entry": [given]}).encode()


def item(at: Any = SENT, sender: Any = PERSON, recipient: Any = PAGE, **said: Any) -> dict[str, Any]:
    head = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at}
    return {key: value for key, value in head.items() if value is not None} | said


def decode(raw: bytes, source: str = "messenger") -> list[Event | Reject]:
    return list(sources()[source].decode(raw, {}))


def one(kept_in: str = "messaging", /, **said: Any) -> Any:
    (found,) = decode(entry(kept_in, item(**said)))
    return found


@pytest.mark.parametrize("shape", ["messaging", "standby"])
@pytest.mark.parametrize("person", [PERSON, int(PERSON)])
def test_a_message_is_the_same_with_ids_as_text_or_numbers_and_whoever_answers(shape: str, person: Any) -> None:
    found = one(shape, sender=person, recipient=int(PAGE), message={"mid": "m1", "text": "नमस्ते"})
    assert isinstance(found, Message)
    assert (found.event_id, found.message_id, found.account_id, found.channel_account_id) == ("messenger:m1", "messenger:m1", PAGE, PAGE)
    assert (found.contact, found.direction, found.author_type, found.text, found.occurred_at) == (LEAD, "inbound", "lead", "नमस्ते", AT)


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        (SENT, AT),
        (str(SENT), AT),
        (SENT // 1000, AT.replace(microsecond=0)),
        (str(SENT // 1000), AT.replace(microsecond=0)),
        ("2025-10-09T08:53:20+0000", AT.replace(microsecond=0)),
        (None, AT.replace(hour=9)),
    ],
)
def test_times_are_told_apart_by_magnitude_and_only_a_missing_one_is_the_entrys(told: Any, moment: datetime) -> None:
    assert one(at=told, message={"mid": "m1", "text": "x"}).occurred_at == moment


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"text": "hi"}, "text", "hi"),
        ({"text": "Yes", "quick_reply": {"payload": "P"}}, "quick_reply", "Yes"),
        ({"attachments": [{"type": "image", "payload": {"url": "u"}}]}, "image", None),
        ({"attachments": [{"type": "fallback"}], "text": "https://example.com"}, "text", "https://example.com"),
        ({"attachments": [{"type": "fallback", "payload": "BLOB"}]}, "fallback", None),
        ({"attachments": [{"type": "story_mention"}]}, "story_mention", None),
        ({"attachments": [{"type": "Asha 98765"}]}, "unknown", None),
        ({"is_unsupported": True}, "unsupported", None),
        ({}, "unknown", None),
    ],
)
def test_the_kind_of_a_message_is_what_it_holds(content: dict[str, Any], kind: str, text: str | None) -> None:
    found = decode(entry("messaging", item(message={"mid": "m1"} | content)))[0]  # beside what is new, `test_new_types` has that
    assert isinstance(found, Message)
    assert (found.message_type, found.text) == (kind, text)


def test_replies_and_ads_are_named() -> None:
    found = one(message={"mid": "m1", "text": "x", "reply_to": {"mid": "m0"}, "referral": {"ad_id": 99, "ref": "r"}})
    assert (found.reply_to_message_id, found.referral_id) == ("messenger:m0", "99")
    assert one(message={"mid": "m1", "text": "x", "reply_to": {"story": {"id": "s"}}}).reply_to_message_id is None


@pytest.mark.parametrize(
    ("app", "author"),
    [(None, "human"), (263902037430900, "human"), ("1217981644879628", "human"), (555, "automation")],
)
def test_an_echo_is_ours_and_the_app_tells_who_wrote_it(app: Any, author: str) -> None:
    found = one(sender=PAGE, recipient=PERSON, message={"mid": "m1", "text": "x", "is_echo": True, "app_id": app})
    assert (found.contact, found.direction, found.author_type) == (LEAD, "outbound", author)
    assert one(message={"mid": "m1", "is_echo": True}).contact == LEAD  # recorded ones have the page as recipient


def test_an_unsent_message_is_a_status_of_it_and_an_edited_one_says_its_new_words() -> None:
    gone = one(message={"mid": "m1", "is_deleted": True})
    assert isinstance(gone, MessageStatus)
    assert (gone.status, gone.message_id, gone.contact, gone.event_id) == ("deleted", "messenger:m1", LEAD, "messenger:m1:deleted")
    edited = one(message_edit={"mid": "m1", "text": "new", "num_edit": "2"})
    assert (edited.message_type, edited.text, edited.reply_to_message_id, edited.event_id) == (
        "edit", "new", "messenger:m1", "messenger:m1:edit:2",
    )  # fmt: skip


def test_reactions_come_and_go() -> None:
    there, gone = (one(at=at, reaction={"mid": "m1", "action": a, "emoji": "❤"}) for at, a in ((SENT, "react"), (SENT + 1, "unreact")))
    assert (there.message_type, there.text, there.reply_to_message_id, there.direction) == ("reaction", "❤", "messenger:m1", "inbound")
    assert gone.text is None
    assert gone.event_id != there.event_id
    assert one(reaction={"mid": "m1", "emoji": "❤"}).text == "❤"


def test_postbacks_with_and_without_an_id_of_their_own() -> None:
    found = one(postback={"title": "Book now", "payload": "B", "mid": "m9", "referral": {"ad_id": "5"}})
    assert (found.message_type, found.text, found.event_id, found.referral_id) == ("postback", "Book now", "messenger:m9", "5")
    first, again, other = (one(postback={"title": "", "payload": payload}) for payload in ("A", "A", "B"))
    assert first == again
    assert first.event_id != other.event_id
    assert first.text is None


def test_receipts_name_messages_or_a_moment() -> None:
    delivered = decode(entry("messaging", item(at=None, delivery={"mids": ["m1", "m2"], "watermark": SENT})))
    assert [(each.status, each.message_id, each.occurred_at) for each in delivered if isinstance(each, MessageStatus)] == [
        ("delivered", "messenger:m1", AT), ("delivered", "messenger:m2", AT),
    ]  # fmt: skip
    read = one(at=SENT + 9, read={"watermark": SENT})
    assert (read.status, read.message_id, read.watermark_at, read.contact) == ("read", None, AT, LEAD)
    assert one(at=SENT + 99, read={"watermark": SENT}).event_id == read.event_id
    (seen,) = decode(entry("messaging", item(read={"mid": "m1"})).replace(b'"page"', b'"instagram"'), "instagram")
    assert isinstance(seen, MessageStatus)
    assert (seen.message_id, seen.watermark_at, seen.contact) == ("instagram:m1", None, Point("igsid", PERSON))


@pytest.mark.parametrize(
    ("said", "kind", "app"),
    [
        ({"optin": {"ref": "r", "user_ref": "u"}}, "opted_in", None),
        ({"optin": {"type": "notification_messages", "notification_messages_status": "STOP_NOTIFICATIONS"}}, "opted_out", None),
        ({"pass_thread_control": {"new_owner_app_id": 5, "metadata": "m"}}, "thread_passed", "5"),
        ({"take_thread_control": {"previous_owner_app_id": "6"}}, "thread_taken", "6"),
        ({"request_thread_control": {"requested_owner_app_id": "7"}}, "thread_requested", "7"),
    ],
)
def test_consents_and_thread_control_are_news_of_the_contact(said: dict[str, Any], kind: str, app: str | None) -> None:
    found = one(**said)
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact, found.app_id, found.occurred_at) == (kind, LEAD, app, AT)


def test_roles_and_policy_are_news_of_the_account() -> None:
    roles = decode(entry("messaging", item(app_roles={"5": ["primary_receiver"], "6": ["secondary_receiver"]})))
    assert [(each.kind, each.subject, each.state) for each in roles if isinstance(each, AccountEvent)] == [
        ("app_roles", "5", "primary_receiver"), ("app_roles", "6", "secondary_receiver"),
    ]  # fmt: skip
    (banned,) = decode(entry("messaging", {"recipient": {"id": PAGE}, "timestamp": SENT, "policy-enforcement": {"action": "block"}}))
    assert isinstance(banned, AccountEvent)
    assert (banned.kind, banned.state, banned.occurred_at) == ("policy_enforcement", "block", AT)


def test_a_payment_is_in_whole_smallest_units_and_an_address_is_not_kept() -> None:
    info = {"contact_name": "Asha", "contact_phone": "+91"}
    bought = {"amount": {"currency": "USD", "amount": 29.62}, "payment_credential": {"charge_id": "ch_1"}, "requested_user_info": info}
    found = one(payment=bought)
    assert isinstance(found, Payment)
    assert (found.amount_minor, found.currency, found.payment_id, found.contact) == (2962, "USD", "ch_1", LEAD)
    assert "Asha" not in repr(found)
    assert one(payment={"amount": {"currency": "JPY", "amount": "1500"}}).amount_minor == 1500
    broken = one(payment={"amount": {"currency": "USD", "amount": 0.001}})
    assert (broken.reason, broken.where) == ("bad_shape", "$.entry[0].messaging[0].payment.amount")


def change(field: str, value: Any, **entry_changes: Any) -> Any:
    (found,) = decode(entry("changes", {"field": field, "value": value}, **entry_changes))
    return found


def test_words_in_public_are_the_persons_where_one_is_named_and_no_message() -> None:
    found = change("comments", {"id": "c1", "text": "How much?", "from": {"id": PERSON, "username": "asha"}, "media": {"id": "p"}})
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact, found.text, found.event_id) == ("commented", LEAD, "How much?", "messenger:comments:c1")
    pointed = change("mentions", {"comment_id": "c2", "media_id": "p"})
    assert isinstance(pointed, AccountEvent)
    assert (pointed.kind, pointed.subject, pointed.occurred_at) == ("mentions", "c2", AT.replace(hour=9))
    ours = change("comments", {"id": "c3", "text": "Thanks", "from": {"id": PAGE}})
    assert isinstance(ours, AccountEvent)
    form = change("leadgen", {"leadgen_id": 5, "form_id": 6, "created_time": SENT // 1000})
    assert (form.kind, form.subject, form.occurred_at) == ("leadgen", "5", AT.replace(microsecond=0))


def test_the_newer_api_sends_messages_as_changes() -> None:
    found = change("messages", item(message={"mid": "m1", "text": "hi"}))
    assert isinstance(found, Message)
    assert found == one(message={"mid": "m1", "text": "hi"})
    assert change("message_reactions", item(reaction={"mid": "m1", "emoji": "x"})).message_type == "reaction"


@pytest.mark.parametrize(
    ("kept_in", "given", "kind", "contact", "moment"),
    [
        ("messaging", item(account_linking={"status": "linked"}), "account_linking", LEAD, AT),
        ("standby", item(**{"Asha 98765": {}}), "unknown", LEAD, AT),
        ("messaging", item(sender=None) | {"sender": {"user_ref": 5}, "postback": {"payload": "p"}}, "postback.user_ref", None, AT),
        ("messaging", item(app_roles={}), "app_roles", LEAD, AT),
        ("changes", {"field": "feed", "value": {"item": "comment", "message": "secret"}}, "feed", None, AT.replace(hour=9)),
        ("changes", {"field": "story_insights", "value": 5}, "story_insights", None, AT.replace(hour=9)),
    ],
)
def test_what_nobody_models_is_kept_alone_and_decodes_again_to_the_same(
    kept_in: str, given: dict[str, Any], kind: str, contact: Point | None, moment: datetime
) -> None:
    found = decode(entry(kept_in, given, message=1))[0]
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.contact, found.occurred_at) == (kind, contact, moment)
    assert decode(json.loads(found.fragment)["body"].encode()) == [found]
    (untold,) = decode(entry("changes", {"field": "new", "value": {}}, time=None))
    assert isinstance(untold, Unmodelled)
    assert untold.occurred_at == UNTOLD


M = "$.entry[0].messaging[0]"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{", ("not_json", "$")),
        (b"[]", ("bad_shape", "$")),
        (b'{"object":"user","entry":[]}', ("bad_shape", "$.object")),
        (b'{"object":"page","entry":[]}', ("bad_shape", "$.entry")),
        (entry("messaging"), ("bad_shape", "$.entry[0]")),
        (entry("messaging", {"sender": {"id": PERSON}, "recipient": {"id": PAGE}, "timestamp": SENT}), ("bad_shape", M)),
        (entry("messaging", 5), ("bad_shape", M)),
        (entry("messaging", item(message={"text": "x"})), ("bad_shape", f"{M}.message")),
        (entry("messaging", item(message={"mid": "m", "text": {"a": 1}})), ("bad_shape", f"{M}.message.text")),
        (entry("messaging", item(at="soon", message={"mid": "m"})), ("bad_time", f"{M}.timestamp")),
        (entry("messaging", item(at=None, message={"mid": "m"}), time=None), ("bad_time", f"{M}.timestamp")),
        (entry("messaging", item(sender=None, message={"mid": "m"})), ("bad_contact", M)),
        (entry("messaging", item(read={})), ("bad_time", f"{M}.read.watermark")),
        (entry("changes", {"field": "leadgen", "value": {}}), ("bad_shape", "$.entry[0].changes[0].value")),
        (entry("changes", {"field": "comments", "value": {"id": "c"}}, time=None), ("bad_time", "$.entry[0].changes[0].value")),
        (b'{"entry":' + b"[" * 9999 + b"]" * 9999 + b"}", ("bad_shape", "$.entry[0]")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(raw: bytes, expected: tuple[str, str]) -> None:
    (found,) = decode(raw)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == expected


def test_one_broken_item_leaves_its_siblings() -> None:
    good = item(message={"mid": "m", "text": "x"})
    first, broken, last = decode(entry("messaging", good, item(message={"mid": 5}), good))
    assert first == last
    assert isinstance(broken, Reject)
    assert (broken.where, broken.account_id) == ("$.entry[0].messaging[1].message.mid", PAGE)


@pytest.mark.parametrize("source", ["messenger", "instagram"])
def test_accounts_and_signature(source: str) -> None:
    module, raw = sources()[source], json.dumps({"entry": [{"id": 5}, {"id": "6"}, {"id": 5}]}).encode()
    assert module.accounts(raw) == ["5", "6"]
    digest = hmac.new(b"app", raw, hashlib.sha256).hexdigest()
    assert module.verify({"x-hub-signature-256": f"sha256={digest}"}, raw, b"app")
    assert not any(
        module.verify({"x-hub-signature-256": each}, raw, b"app") for each in (digest, f"sha1={digest}", "", f"sha256={digest[:-1]}0")
    )
    assert not module.verify({"x-hub-signature-256": f"sha256={digest}"}, raw, b"other")
