"""WhatsApp bodies into canonical events: every case is written here, from the vendor's reference, not from recorded bodies."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.events import UNTOLD, AccountEvent, ContactEvent, Event, Message, MessageStatus, Point, Reject, Unmodelled
from core.sources import sources

WABA, NUMBER, OURS = "2001", "1001", "15550001111"
SENT = 1_760_000_000
AT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
LEAD = Point("phone", "+919812345678")


def change(field: str = "messages", **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": f"+{OURS}", "phone_number_id": NUMBER}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def body(*changes: dict[str, Any], **entry: Any) -> bytes:
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": list(changes), **entry}]}).encode()


def decode(raw: bytes) -> list[Event | Reject]:
    return list(sources()["whatsapp"].decode(raw, {}))


def inbound(**item: Any) -> dict[str, Any]:
    return {"id": "wamid.1", "from": LEAD.value[1:], "timestamp": str(SENT), **item}


def message(**item: Any) -> Message:
    """The one message that an item gives."""
    (found,) = decode(body(change(messages=[inbound(**item)])))
    assert isinstance(found, Message)
    return found


TEXTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "text": ({"text": {"body": "नमस्ते"}}, "नमस्ते"),
    "button": ({"button": {"text": "Yes", "payload": "p"}}, "Yes"),
    "image": ({"image": {"id": "1", "caption": "This one"}}, "This one"),
    "video": ({"video": {"id": "1", "caption": "Look"}}, "Look"),
    "document": ({"document": {"id": "1", "caption": "Plan", "filename": "a.pdf"}}, "Plan"),
    "reaction": ({"reaction": {"message_id": "wamid.0", "emoji": "👍"}}, "👍"),
    "order": ({"order": {"catalog_id": "1", "text": "by Friday", "product_items": []}}, "by Friday"),
    "audio": ({"audio": {"id": "1", "voice": True}}, None),
    "sticker": ({"sticker": {"id": "1"}}, None),
    "location": ({"location": {"latitude": 1.0, "longitude": 2.0, "name": "Home"}}, None),
    "contacts": ({"contacts": [{"name": {"formatted_name": "Asha"}}]}, None),
    "unsupported": ({"errors": [{"code": 131051}]}, None),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_every_type_of_message_gives_its_words(kind: str) -> None:
    content, words = TEXTS[kind]
    found = message(type=kind, **content)
    assert (found.message_type, found.text) == (kind, words)
    assert (found.contact, found.direction, found.author_type, found.occurred_at) == (LEAD, "inbound", "lead", AT)
    assert (found.account_id, found.channel_account_id, found.channel) == (NUMBER, NUMBER, "whatsapp")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"type": "button_reply", "button_reply": {"id": "1", "title": "Book"}}, "Book"),
        ({"type": "list_reply", "list_reply": {"id": "1", "title": "Monday", "description": "9 to 10"}}, "Monday"),
        ({"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{}"}}, "Sent"),
    ],
)
def test_interactive_replies_give_their_words(reply: dict[str, Any], words: str) -> None:
    assert message(type="interactive", interactive=reply).text == words


def test_a_message_without_a_type_is_told_by_what_it_holds() -> None:
    assert message(text={"body": "hi"}).message_type == "text"
    assert message().message_type == "unknown"


def test_replies_reactions_and_revocations_name_the_message_that_they_are_about() -> None:
    assert message(type="text", text={"body": "x"}, context={"id": "wamid.0"}).reply_to_message_id == "whatsapp:wamid.0"
    assert message(type="reaction", reaction={"message_id": "wamid.5", "emoji": "x"}).reply_to_message_id == "whatsapp:wamid.5"
    assert message(type="revoke", revoke={"original_message_id": "wamid.7"}).reply_to_message_id == "whatsapp:wamid.7"
    assert message(type="text", text={"body": "x"}, referral={"source_id": "ad9"}).referral_id == "ad9"
    assert message(type="reaction", reaction={"message_id": "wamid.5", "emoji": ""}).text is None  # taken back


def test_a_contact_beside_the_message_links_both_ids_and_tells_the_name() -> None:
    contacts = [{"wa_id": LEAD.value[1:], "user_id": "IN.5", "profile": {"name": "Asha"}}]
    text, linked, named = decode(body(change(contacts=contacts, messages=[inbound(type="text", text={"body": "x"})])))
    assert isinstance(text, Message)
    assert isinstance(linked, ContactEvent)
    assert isinstance(named, ContactEvent)
    assert (linked.kind, linked.contact, linked.other) == ("linked", LEAD, Point("wa_user_id", "IN.5"))
    assert (named.kind, named.contact, named.name) == ("profile_named", LEAD, "Asha")
    assert len({text.event_id, linked.event_id, named.event_id}) == 3


def test_the_contacts_of_a_batch_are_not_mixed_up() -> None:
    contacts = [{"wa_id": "15550100", "profile": {"name": "One"}}, {"user_id": "US.2", "profile": {"name": "Two"}}]
    items = [inbound(id="a", **{"from": "15550100"}), {"id": "b", "from_user_id": "US.2", "timestamp": SENT}]
    found = [each for each in decode(body(change(contacts=contacts, messages=items))) if isinstance(each, ContactEvent)]
    assert [(each.contact.value, each.name) for each in found] == [("+15550100", "One"), ("US.2", "Two")]


def test_somebody_known_by_user_id_alone_is_a_contact() -> None:
    item = {"id": "wamid.1", "from_user_id": "US.77", "timestamp": str(SENT), "type": "text", "text": {"body": "x"}}
    (found,) = decode(body(change(messages=[item])))
    assert isinstance(found, Message)
    assert found.contact == Point("wa_user_id", "US.77")
    del item["from_user_id"]  # then the one contact beside it says who it is
    found = decode(body(change(contacts=[{"user_id": "US.77"}], messages=[item])))[0]
    assert isinstance(found, Message)
    assert found.contact == Point("wa_user_id", "US.77")


def test_echoes_are_messages_of_our_people_to_the_contact() -> None:
    item = {"id": "wamid.2", "from": OURS, "to": LEAD.value[1:], "timestamp": str(SENT), "type": "text", "text": {"body": "On it"}}
    (found,) = decode(body(change("smb_message_echoes", message_echoes=[item])))
    assert isinstance(found, Message)
    assert (found.direction, found.author_type, found.contact, found.text) == ("outbound", "human", LEAD, "On it")
    del item["to"]
    (found,) = decode(body(change("smb_message_echoes", message_echoes=[item], contacts=[{"wa_id": LEAD.value[1:]}])))
    assert isinstance(found, Message)
    assert found.contact == LEAD


def test_an_echo_to_our_own_number_is_never_a_contact_of_ours() -> None:
    item = inbound(to=OURS, type="revoke", revoke={"original_message_id": "wamid.0"})
    (found,) = decode(body(change("smb_message_echoes", message_echoes=[item])))
    assert isinstance(found, Message)
    assert (found.contact, found.direction, found.author_type) == (LEAD, "inbound", "lead")


def status(**item: Any) -> Event | Reject:
    base = {"id": "wamid.3", "status": "delivered", "timestamp": str(SENT)}
    (found,) = decode(body(change(statuses=[base | item])))
    return found


def test_statuses_carry_pricing_and_the_first_error_code() -> None:
    found = status(recipient_id="919812345678", pricing={"billable": True, "type": "regular", "category": "marketing"})
    assert isinstance(found, MessageStatus)
    assert (found.contact, found.status, found.pricing_type, found.pricing_category) == (LEAD, "delivered", "regular", "marketing")
    failed = status(status="failed", recipient_id="919812345678", errors=[{"title": "?"}, {"code": 131047}])
    assert isinstance(failed, MessageStatus)
    assert failed.error_code == 131047
    nobody = status()
    assert isinstance(nobody, MessageStatus)
    assert nobody.contact is None


def test_statuses_of_one_message_are_told_apart_by_state_and_recipient() -> None:
    group = {"recipient_id": "12036@g.us", "recipient_type": "group"}
    found = [
        status(recipient_id="1555"),
        status(recipient_user_id="US.1"),
        status(recipient_id="1555", status="read"),
        status(**group, recipient_participant_id="919812345678"),
        status(**group, recipient_participant_user_id="US.2"),
    ]
    assert len({each.event_id for each in found if isinstance(each, MessageStatus)}) == 5
    assert [each.contact for each in found[3:] if isinstance(each, MessageStatus)] == [LEAD, Point("wa_user_id", "US.2")]
    assert status(recipient_id="1555") == found[0]


@pytest.mark.parametrize("field", ["wa_id", "new_wa_id"])
def test_a_changed_number_names_the_old_and_the_new_one(field: str) -> None:
    item = inbound(type="system", system={"type": "user_changed_number", "body": "Asha changed", field: "919800000001"})
    (found,) = decode(body(change(messages=[item])))
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact, found.other) == ("number_changed", LEAD, Point("phone", "+919800000001"))
    assert found.name is None


def test_changed_user_ids_come_in_two_ways_and_back_and_forth_are_three_events() -> None:
    item = {"id": "w", "timestamp": SENT, "from_user_id": "US.1", "type": "system"}
    (found,) = decode(body(change(messages=[item | {"system": {"type": "user_changed_user_id", "user_id": "US.2"}}])))
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact.value, found.other) == ("user_id_changed", "US.1", Point("wa_user_id", "US.2"))
    pairs = [("US.1", "US.2"), ("US.2", "US.1"), ("US.1", "US.2")]
    updates = [{"user_id": {"previous": a, "current": b}, "timestamp": str(SENT + n)} for n, (a, b) in enumerate(pairs)]
    events = decode(body(change("user_id_update", user_id_update=updates)))
    assert [each.kind for each in events if isinstance(each, ContactEvent)] == ["user_id_changed"] * 3
    assert len({each.event_id for each in events if isinstance(each, ContactEvent)}) == 3


@pytest.mark.parametrize(("value", "kind"), [("stop", "opted_out"), ("resume", "opted_in"), ("signup", "opted_in")])
def test_preferences_are_consents(value: str, kind: str) -> None:
    item = {"wa_id": LEAD.value[1:], "category": "marketing_messages", "value": value, "timestamp": SENT}
    (found,) = decode(body(change("user_preferences", user_preferences=[item])))
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact, found.occurred_at) == (kind, LEAD, AT)


def account(field: str, **value: Any) -> AccountEvent:
    (found,) = decode(body({"field": field, "value": value}, time=SENT))
    assert isinstance(found, AccountEvent)
    assert (found.account_id, found.kind, found.occurred_at) == (WABA, field, AT)
    return found


def test_account_news_say_state_subject_and_until_when() -> None:
    ban = {"waba_ban_state": "SCHEDULE_FOR_DISABLE", "waba_ban_date": "January 31, 2026", "more": [1]}
    assert account("account_update", event="DISABLED_UPDATE", ban_info=ban).state == "SCHEDULE_FOR_DISABLE"
    limits = [{"restriction_type": "A", "expiration": SENT + 60}, {"restriction_type": "B", "expiration": str(SENT)}, {}]
    restricted = account("account_update", event="ACCOUNT_RESTRICTION", restriction_info=limits)
    assert restricted.state == "ACCOUNT_RESTRICTION"
    assert restricted.expires_at == datetime(2025, 10, 9, 8, 54, 20, tzinfo=UTC)
    template = account("message_template_status_update", event="PAUSED", message_template_id=77)
    assert (template.subject, template.state, template.expires_at) == ("77", "PAUSED", None)
    assert account("account_alerts", entity_id=9, alert_info={"alert_type": "OBA_APPROVED"}).state == "OBA_APPROVED"
    assert account("account_alerts", entity_id="9", alert_type="OBA_APPROVED").subject == "9"
    assert account("phone_number_quality_update", event="FLAGGED", display_phone_number=OURS, current_limit="TIER_1K").subject == OURS
    assert account("account_update").state == "unknown"


@pytest.mark.parametrize(
    ("told", "until"),
    [
        (SENT, AT), (str(SENT), AT), (SENT * 1000 + 5, AT + timedelta(milliseconds=5)), ("2025-10-09T14:23:20+05:30", AT),
        ("2025-10-09T08:53:20+0000", AT), ("2025-10-09T08:53:20Z", AT), (None, None),
    ],
)  # fmt: skip
def test_a_restriction_ends_when_it_says_so_however_it_writes_the_time(told: object, until: datetime | None) -> None:
    assert account("account_update", event="ACCOUNT_RESTRICTION", restriction_info=[{"expiration": told}]).expires_at == until


@pytest.mark.parametrize("told", ["EXPIRATION", "January 31, 2026", "2025-10-09T08:53:20", "2025-10-09", "", "9" * 400, 0, -5, 10**18])
def test_a_restriction_whose_end_cannot_be_read_is_refused_and_not_for_ever(told: object) -> None:
    limits = [{"expiration": SENT}, {"expiration": told}]
    refused = broken(body({"field": "account_update", "value": {"event": "ACCOUNT_RESTRICTION", "restriction_info": limits}}, time=SENT))
    assert refused == ("bad_time", f"{V}.restriction_info[1].expiration")


def test_account_news_repeat_by_entry_time_and_content() -> None:
    first = account("account_update", event="ACCOUNT_DELETED")
    assert account("account_update", event="ACCOUNT_DELETED").event_id == first.event_id
    assert account("account_update", event="ACCOUNT_VIOLATION").event_id != first.event_id


def broken(raw: bytes) -> tuple[str, str]:
    (found,) = decode(raw)
    assert isinstance(found, Reject)
    return found.reason, found.where


V = "$.entry[0].changes[0].value"


def test_one_broken_item_leaves_its_siblings() -> None:
    items = [inbound(id="a"), inbound(id=5), inbound(id="c", timestamp="TIMESTAMP"), inbound(id="d")]
    first, shape, time, last = decode(body(change(messages=items)))
    assert isinstance(first, Message)
    assert isinstance(last, Message)
    assert shape == Reject("bad_shape", f"{V}.messages[1].id", "Expected `str`, got `int`", NUMBER)
    assert isinstance(time, Reject)
    assert (time.reason, time.where, time.account_id) == ("bad_time", f"{V}.messages[2].timestamp", NUMBER)


def test_a_broken_contact_or_change_leaves_its_siblings() -> None:
    contacts = [{"wa_id": 5}, {"wa_id": LEAD.value[1:], "profile": {"name": "Asha"}}]
    reject, text, named = decode(body(change(contacts=contacts, messages=[inbound()])))
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.where) == ("bad_shape", f"{V}.contacts[0].wa_id")
    assert isinstance(text, Message)
    assert isinstance(named, ContactEvent)
    assert isinstance(decode(body(change(contacts=None, messages=[inbound()])))[0], Message)
    reject, text = decode(body(change(messages={}), change(messages=[inbound()])))
    assert isinstance(reject, Reject)
    assert (reject.where, reject.account_id) == (f"{V}.messages", NUMBER)
    assert isinstance(text, Message)


HUGE = int("9" * 30)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{", ("not_json", "$")),
        (b'{"entry":[{"id":"\xff","changes":[]}]}', ("not_json", "$")),
        (b"[]", ("bad_shape", "$")),
        (b'{"entry":[]}', ("bad_shape", "$.entry")),
        (b'{"entry":[{"id":"1","changes":[]}]}', ("bad_shape", "$.entry")),
        (b'{"entry":' + b"[" * 9999 + b"]" * 9999 + b"}", ("bad_shape", "$.entry[0]")),
        (b'{"object":' + b"[" * 9999 + b"]" * 9999 + b"}", ("bad_shape", "$")),
        (body(change(messages=[])), ("bad_shape", V)),
        (body(change()), ("bad_shape", V)),
        (body(change(messages=[inbound(**{"from": None})])), ("bad_contact", f"{V}.messages[0]")),
        (body(change(messages=[inbound(timestamp="1_760_000_000")])), ("bad_time", f"{V}.messages[0].timestamp")),
        (body(change(messages=[inbound(timestamp="９" * 10)])), ("bad_time", f"{V}.messages[0].timestamp")),
        (body(change(messages=[inbound(timestamp="9" * 9999)])), ("bad_time", f"{V}.messages[0].timestamp")),
        (body(change(messages=[inbound(timestamp=HUGE)])), ("bad_shape", f"{V}.messages[0].timestamp")),
        (body(change(messages=[inbound(timestamp=-5)])), ("bad_time", f"{V}.messages[0].timestamp")),
        (body(change(statuses=[{"id": "1", "status": "read", "timestamp": SENT, "errors": [{"code": HUGE}]}])), ("bad_shape", f"{V}.statuses[0].errors[0].code")),
        (body(change("user_preferences", user_preferences=[{"value": "stop", "timestamp": SENT}])), ("bad_contact", f"{V}.user_preferences[0]")),
        (body({"field": "account_update", "value": {}}), ("bad_time", "$.entry[0].time")),
        (body({"field": "account_update", "value": {"event": 5}}, time=SENT), ("bad_shape", f"{V}.event")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(raw: bytes, expected: tuple[str, str]) -> None:
    assert broken(raw) == expected


def test_rejects_quote_nothing_that_may_be_personal() -> None:
    secret = "Asha 98765 asha@example.com\n'\" - at `$.x`"
    bodies = [
        body(change(messages=[inbound(text=secret)])),
        body(change(messages=[inbound(timestamp=secret)])),
        body({"field": "account_update", "value": {"ban_info": secret}}, time=SENT),
        json.dumps({"entry": [{"id": WABA, "changes": secret}]}).encode(),
    ]
    for raw in bodies:
        rejects = [each for each in decode(raw) if isinstance(each, Reject)]
        assert rejects
        for reject in rejects:
            assert not any(part in reject.detail + reject.where for part in ("Asha", "98765", "example", "$.x"))


def test_accounts_are_numbers_before_their_waba() -> None:
    accounts = sources()["whatsapp"].accounts
    assert accounts(body(change(), change("user_preferences"))) == [NUMBER, WABA]
    assert accounts(body({"field": "account_update", "value": {}})) == [WABA]
    assert accounts(b"{}") == []


def test_only_the_true_signature_of_these_bytes_holds() -> None:
    verify, raw = sources()["whatsapp"].verify, body(change())
    digest = hmac.new(b"app", raw, hashlib.sha256).hexdigest()
    assert verify({"x-hub-signature-256": f"sha256={digest}"}, raw, b"app")
    assert verify({"x-hub-signature-256": f"sha256={digest.upper()}"}, raw, b"app")
    wrong = (digest, f"sha1={digest}", f"sha256={digest[:-1]}", f"sha256={'0' * 64}", "sha256=", "", "sha256=é")
    assert not any(verify({"x-hub-signature-256": each}, raw, b"app") for each in wrong)
    assert not verify({}, raw, b"app")
    assert not verify({"x-hub-signature-256": f"sha256={digest}"}, raw + b" ", b"app")
    assert not verify({"x-hub-signature-256": f"sha256={digest}"}, raw, b"other")


@pytest.mark.parametrize(
    ("given", "kind", "contact"),
    [
        (change("brand_new", xyz=[]), "brand_new", None),
        ({"field": "brand_new", "value": 5}, "brand_new", None),
        ({"field": "Asha 98765", "value": {}}, "unknown", None),
        (change(xyz=[{"a": 1}]), "messages", None),
        (change(messages=[inbound(type="system", system={"type": "new_kind"})]), "messages.system.new_kind", LEAD),
        (change(messages=[inbound(type="system", system={"type": "98765"})]), "messages.system.unknown", LEAD),
        (change("user_preferences", user_preferences=[{"value": "maybe", "wa_id": "91981", "timestamp": SENT}]), "user_preferences.maybe", Point("phone", "+91981")),
        (change("calls", calls=[{"id": "wacid.1", "event": "hold", "from": LEAD.value[1:], "timestamp": SENT}]), "calls.hold", LEAD),
    ],
)  # fmt: skip
@pytest.mark.parametrize("entry", [{"time": SENT}, {}])
def test_what_nobody_models_is_kept_alone_and_decodes_again_to_the_same(
    given: dict[str, Any], kind: str, contact: Point | None, entry: dict[str, Any]
) -> None:
    beside = change(messages=[inbound(type="text", text={"body": "beside"})])
    text, found = decode(body(beside, given, **entry))
    assert isinstance(text, Message)
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.contact) == (kind, contact)
    assert found.occurred_at == (AT if entry or contact else UNTOLD)
    kept = json.loads(found.fragment)
    assert "beside" not in kept["body"]
    assert decode(kept["body"].encode()) == [found]


def test_calls_open_a_conversation_and_end_as_its_status() -> None:
    base = {"id": "wacid.1", "timestamp": str(SENT), "from": LEAD.value[1:], "to": OURS}
    inbound_call, ended = decode(
        body(
            change(
                "calls",
                calls=[base | {"event": "connect", "direction": "USER_INITIATED"}, base | {"event": "terminate", "status": "COMPLETED"}],
            )
        )
    )
    assert isinstance(inbound_call, Message)
    assert (inbound_call.message_type, inbound_call.direction, inbound_call.author_type, inbound_call.contact) == (
        "call",
        "inbound",
        "lead",
        LEAD,
    )
    assert isinstance(ended, MessageStatus)
    assert (ended.message_id, ended.status, ended.contact) == (inbound_call.message_id, "call_completed", LEAD)
    (ours,) = decode(body(change("calls", calls=[base | {"event": "connect", "from": OURS, "to": LEAD.value[1:]}])))
    assert isinstance(ours, Message)
    assert (ours.direction, ours.author_type, ours.contact) == ("outbound", "human", LEAD)
    ringing = {"id": "wacid.1", "type": "call", "status": "RINGING", "timestamp": str(SENT), "recipient_id": LEAD.value[1:]}
    (status_of_call,) = decode(body(change("calls", statuses=[ringing])))
    assert isinstance(status_of_call, MessageStatus)
    assert (status_of_call.status, status_of_call.contact) == ("call_ringing", LEAD)


def test_history_and_address_book_are_kept_a_person_each_and_decode_again_to_the_same() -> None:
    """Two threads and a contact: three events, each under the person whom it names, and no word of one in another's."""
    threads = [
        {
            "id": f"91981234567{n}",
            "messages": [{"from": OURS, "id": f"w{n}", "timestamp": str(SENT - 9 * n), "text": {"body": f"words{n}"}}],
        }
        for n in (1, 2)
    ]
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": threads}
    synced = {"type": "contact", "action": "add", "contact": {"phone_number": "+91 9812345671"}, "metadata": {"timestamp": SENT * 1000}}
    given = body(change("history", history=[chunk]), change("smb_app_state_sync", state_sync=[synced]))
    first, second, book = decode(given)
    for found, contact, at in ((first, "+919812345671", AT - timedelta(seconds=9)), (second, "+919812345672", AT - timedelta(seconds=18))):
        assert isinstance(found, Unmodelled)
        assert (found.kind, found.contact, found.occurred_at) == ("history.thread", Point("phone", contact), at)
        assert ("words1" in found.fragment, "words2" in found.fragment) == (contact[-1] == "1", contact[-1] == "2")
    assert isinstance(book, Unmodelled)
    assert (book.kind, book.contact, book.occurred_at) == ("smb_app_state_sync.contact", Point("phone", "+919812345671"), AT)
    for found in (first, second, book):
        assert decode(json.loads(found.fragment)["body"].encode()) == [found]
    (declined,) = decode(body(change("history", history=[{"errors": [{"code": 2593109}]}])))
    assert isinstance(declined, Unmodelled)
    assert (declined.kind, declined.contact) == ("history", None)


def test_groups_are_news_of_the_account_and_may_link_two_ids_of_one_person() -> None:
    added = [{"wa_id": 919812345678, "user_id": "IN.5"}, {"wa_id": "15550100"}, {"input": "US.7"}]
    item = {"group_id": "g1", "type": "group_participants_add", "timestamp": str(SENT), "added_participants": added}
    news, link = decode(body(change("group_participants_update", groups=[item])))
    assert isinstance(news, AccountEvent)
    assert (news.kind, news.subject, news.state, news.occurred_at) == ("group_participants_update", "g1", "group_participants_add", AT)
    assert isinstance(link, ContactEvent)
    assert (link.kind, link.contact, link.other) == ("linked", LEAD, Point("wa_user_id", "IN.5"))


def test_an_identity_that_changed_is_told_of_its_contact() -> None:
    (found,) = decode(body(change(messages=[inbound(type="system", system={"type": "customer_identity_changed"})])))
    assert isinstance(found, ContactEvent)
    assert (found.kind, found.contact, found.other) == ("identity_changed", LEAD, None)


def test_an_edited_message_has_its_new_words_and_names_the_old_one() -> None:
    found = message(type="edit", edit={"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "new words"}}})
    assert (found.message_type, found.text, found.reply_to_message_id) == ("edit", "new words", "whatsapp:wamid.0")


def test_errors_of_the_account_and_flows_are_news_of_it() -> None:
    (found,) = decode(body(change(errors=[{"code": 130429, "title": "Rate limit hit"}]), time=SENT))
    assert isinstance(found, AccountEvent)
    assert (found.kind, found.subject, found.state) == ("errors", NUMBER, "130429")
    flow = account("flows", event="FLOW_STATUS_CHANGE", flow_id="66", old_status="DRAFT", new_status="PUBLISHED")
    assert (flow.subject, flow.state) == ("66", "PUBLISHED")
    assert account("message_template_quality_update", message_template_id=7, new_quality_score="RED").state == "RED"
