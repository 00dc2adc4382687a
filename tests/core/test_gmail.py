"""Gmail bodies into mails and places in a history, and Google's tokens: written here, with keys that are really made."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from core.events import UNTOLD, AccountEvent, ContactEvent, Event, Message, Point, Reject, Unmodelled
from core.sources import sources
from core.sources._google_token import LEEWAY

BOX = "sales@tenant.example"
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
MS = str(int(AT.timestamp() * 1000))


def b64(value: bytes | str) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else value.encode()).decode().rstrip("=")


def part(kind: str, text: str, charset: str = "utf-8", **more: Any) -> dict[str, Any]:
    header = {"name": "Content-Type", "value": f"{kind}; charset={charset}"}
    return {"mimeType": kind, "filename": "", "headers": [header], "body": {"size": 1, "data": b64(text.encode(charset))}} | more


def mail(
    *parts: dict[str, Any], sender: str = "Asha Rao <Asha@Example.com>", to: str = BOX, labels: Any = ("INBOX",), **changes: Any
) -> dict[str, Any]:
    names = {"From": sender, "To": to, "Subject": "A kitchen", "Message-ID": "<m1@example.com>", "Date": "Sat, 16 Sep 1999 21:11:28 GMT"}
    names |= changes.pop("headers", {})
    payload = {
        "mimeType": "multipart/mixed",
        "headers": [{"name": n, "value": v} for n, v in names.items() if v is not None],
        "parts": list(parts),
    }
    return {"id": "g1", "threadId": "t1", "labelIds": list(labels), "snippet": "", "internalDate": MS, "payload": payload} | changes


def decode(given: Any, mailbox: str | None = BOX) -> list[Event | Reject]:
    if isinstance(given, dict) and mailbox:
        given = {"emailAddress": mailbox} | given
    return list(sources()["gmail"].decode(given if isinstance(given, bytes) else json.dumps(given).encode(), {}))


def one(given: Any) -> Any:
    return decode(given)[0]


def test_a_mail_from_a_lead() -> None:
    found, named = decode(mail(part("text/plain", "Hello\r\nthere")))
    assert isinstance(found, Message)
    assert (found.contact, found.direction, found.author_type, found.text) == (
        Point("email", "asha@example.com"),
        "inbound",
        "lead",
        "Hello\nthere",
    )
    assert (found.channel, found.account_id, found.channel_account_id, found.message_type) == ("gmail", BOX, BOX, "email")
    assert (found.event_id, found.message_id, found.occurred_at) == ("gmail:<m1@example.com>", "gmail:<m1@example.com>", AT)
    assert isinstance(named, ContactEvent)
    assert (named.kind, named.name) == ("profile_named", "Asha Rao")


def test_the_same_mail_in_two_mailboxes_is_one_and_without_an_id_of_its_own_it_is_the_mailboxs() -> None:
    first, second = (decode(mail(part("text/plain", "x")), box)[0] for box in (BOX, "support@tenant.example"))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert first.event_id == second.event_id
    assert one(mail(part("text/plain", "x"), headers={"Message-ID": None})).event_id == f"gmail:{BOX}:g1"


@pytest.mark.parametrize(
    ("changes", "to"),
    [
        ({"labels": ["SENT"], "sender": BOX, "to": "Ravi <ravi@example.com>, b@example.com"}, "ravi@example.com"),
        ({"labels": [], "sender": f"Sales <{BOX.upper()}>", "to": "ravi@example.com"}, "ravi@example.com"),
        ({"labels": ["SENT"], "sender": "alias@tenant.example", "to": f"{BOX}, c@example.com"}, "c@example.com"),
    ],
)
def test_a_mail_of_ours_is_to_the_first_who_is_not_us(changes: dict[str, Any], to: str) -> None:
    found = one(mail(part("text/plain", "x"), headers={"In-Reply-To": "<m0@example.com>"}, **changes))
    assert (found.direction, found.author_type, found.contact) == ("outbound", "human", Point("email", to))
    assert found.reply_to_message_id == "gmail:<m0@example.com>"


def test_a_mail_that_an_action_sent_brings_its_id_back_whatever_gmail_called_it_and_nobody_else_can() -> None:
    action = "ab" * 32
    sent: dict[str, Any] = {"labels": ["SENT"], "sender": BOX, "to": "ravi@example.com"}
    told = {"X-Flexoraa-Action": action}
    kept, renamed = (
        one(mail(part("text/plain", "x"), headers=told | {"Message-ID": name}, **sent)) for name in (f"<{action}@x>", "<CA1@mail>")
    )
    assert (kept.action_id, kept.author_type, kept.direction) == (action, "automation", "outbound")
    assert kept == renamed
    assert kept.event_id == f"gmail:<{action}@{BOX.partition('@')[2]}>"
    for changes in ({}, {"labels": [], "sender": BOX, "to": "ravi@example.com"}):  # a lead's mail, and one that only claims to be ours
        forged = one(mail(part("text/plain", "x"), headers=told, **changes))
        assert (forged.action_id, forged.event_id) == (None, "gmail:<m1@example.com>")
    assert one(mail(part("text/plain", "x"), headers={"X-Flexoraa-Action": "x"}, **sent)).action_id is None


QUOTED = "Yes please\n\nOn Mon, 2 Mar 2026 at 10:00 Sales <sales@tenant.example> wrote:\n> Shall we?\n"
HTML = '<html><style>p{}</style><p>Yes&nbsp;please</p><div class="gmail_quote">On Monday: <div>old</div></div><blockquote>older</blockquote>!</html>'


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([part("text/html", "<b>html</b>"), part("text/plain", "plain")], "plain"),
        ([{"mimeType": "multipart/alternative", "parts": [part("text/plain", "deep"), part("text/html", "x")]}], "deep"),
        ([part("text/plain", "a file", filename="a.txt"), part("text/html", "<p>a &amp; b<br>c</p>")], "a & b\nc"),
        ([part("text/plain", "नमस्ते", "utf-16")], "नमस्ते"),
        ([part("text/plain", "caf\xe9", "latin-1")], "café"),
        ([part("text/plain", "x", "utf-8") | {"headers": [{"name": "content-type", "value": "text/plain; charset=klingon"}]}], "x"),
        ([part("text/plain", QUOTED)], "Yes please"),
        ([part("text/html", HTML)], "Yes\xa0please\n!"),
        ([{"mimeType": "text/plain", "body": {"attachmentId": "big", "size": 9}}], "A kitchen"),
    ],
)  # fmt: skip
def test_the_words_are_those_of_the_text_part_without_what_it_quotes(parts: list[dict[str, Any]], text: str) -> None:
    assert one(mail(*parts)).text == text


def test_a_large_body_leaves_its_snippet_and_a_name_is_decoded() -> None:
    found, named = decode(
        mail({"mimeType": "text/plain", "body": {"attachmentId": "big"}}, snippet="As I said", sender="=?utf-8?b?4KSG4KS24KS+?= <a@b.co>")
    )
    assert isinstance(found, Message)
    assert found.text == "As I said"
    assert isinstance(named, ContactEvent)
    assert named.name == "आशा"


def test_an_automatic_answer_says_that_it_is_one() -> None:
    assert one(mail(part("text/plain", "Away"), headers={"Auto-Submitted": "auto-replied"})).message_type == "auto_reply"
    assert one(mail(part("text/plain", "x"), headers={"Auto-Submitted": "no"})).message_type == "email"


@pytest.mark.parametrize(("label", "kind"), [("DRAFT", "mail.draft"), ("SPAM", "mail.spam"), ("CHAT", "mail.chat")])
def test_drafts_spam_and_chats_are_kept_and_make_no_lead(label: str, kind: str) -> None:
    found = one(mail(part("text/plain", "buy"), labels=[label]))
    assert isinstance(found, Unmodelled)
    assert (found.kind, found.contact, found.occurred_at) == (kind, None, AT)
    assert decode(json.loads(found.fragment)["body"].encode()) == [found]


def test_a_thread_is_its_mails() -> None:
    given = {"id": "t1", "historyId": "5", "messages": [mail(part("text/plain", "x")), {"id": "g2"}, mail(internalDate="soon")]}
    found, _, pointed, untimed = decode(given)
    assert isinstance(found, Message)
    assert isinstance(pointed, Reject)
    assert isinstance(untimed, Reject)
    assert (pointed.reason, pointed.where) == ("not_an_event", "$.messages[1].payload")
    assert (untimed.reason, untimed.where) == ("bad_time", "$.messages[2].internalDate")


@pytest.mark.parametrize("history_id", [987, "987"])
@pytest.mark.parametrize("names", [("messageId", "publishTime"), ("message_id", "publish_time")])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_push_is_a_place_in_the_history(history_id: Any, names: tuple[str, str], encode: Callable[[bytes], bytes]) -> None:
    data = encode(json.dumps({"emailAddress": "Sales@Tenant.example", "historyId": history_id, "x": "???>>>"}).encode()).decode()
    raw = json.dumps({"message": {"data": data, names[0]: "p1", names[1]: "2026-03-01T08:00:00Z"}, "subscription": "s"}).encode()
    assert sources()["gmail"].accounts(raw) == [BOX]
    (found,) = decode(raw)
    assert isinstance(found, AccountEvent)
    assert (found.account_id, found.kind, found.subject, found.state) == (BOX, "history", "987", "changed")
    assert (found.event_id, found.occurred_at) == ("gmail:push:p1", AT)


def test_a_page_of_history_names_what_was_added_once() -> None:
    added = {"messagesAdded": [{"message": {"id": "g1", "threadId": "t"}}]}
    page = {
        "historyId": 99,
        "history": [
            {"id": "97"} | added,
            {"id": "97"} | added,
            {"id": "98", "labelsAdded": [{"x": 1}]},
            {"id": "98", "messagesDeleted": [{"message": {"id": "g0"}}]},
        ],
    }
    found = [(each.kind, each.subject, each.occurred_at) for each in decode(page) if isinstance(each, AccountEvent)]
    assert found == [("history.message_added", "g1", UNTOLD), ("history.message_deleted", "g0", UNTOLD), ("history", "99", UNTOLD)]
    (nothing_new,) = decode({"historyId": "99"})
    assert isinstance(nothing_new, AccountEvent)
    assert nothing_new.subject == "99"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"[]", ("bad_shape", "$")),
        (b"{", ("not_json", "$")),
        (b"{}", ("bad_shape", "$")),
        ({"labels": []}, ("not_an_event", "$")),
        ({"messagesTotal": 1, "threadsTotal": 1, "historyId": "5"}, ("not_an_event", "$")),
        ({"messages": [{"id": "1"}], "resultSizeEstimate": 1}, ("not_an_event", "$")),
        ({"historyId": "5", "expiration": "1"}, ("not_an_event", "$")),
        ({"messages": []}, ("bad_shape", "$.messages")),
        ({"messages": 5}, ("bad_shape", "$.messages")),
        ({"message": {"data": "!"}}, ("bad_shape", "$.message.data")),
        ({"message": {"data": b64("{}"), "publishTime": "x"}}, ("bad_shape", "$.message.data")),
        ({"message": {"data": b64('{"emailAddress":"a@b.co","historyId":1}'), "publishTime": "soon"}}, ("bad_time", "$.message.publishTime")),
        (mail(part("text/plain", "x"), id=5), ("bad_shape", "$.id")),
        (mail(part("text/plain", "x"), sender="nobody"), ("bad_contact", "$.payload.headers")),
        (mail(part("text/plain", "x") | {"body": {"data": "*"}}), ("bad_shape", "$.payload")),
    ],
)  # fmt: skip
def test_what_is_broken_says_why_and_where(given: Any, expected: tuple[str, str]) -> None:
    (found,) = decode(given)
    assert isinstance(found, Reject)
    assert (found.reason, found.where) == expected


KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
AUDIENCE, ACCOUNT = "https://hooks.example/gmail", "push@project.iam.gserviceaccount.com"


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: rsa.RSAPrivateKey, kid: str = "k1") -> dict[str, str]:
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": number(public.n), "e": number(public.e)}


def token(key: rsa.RSAPrivateKey = KEY, head: dict[str, Any] | None = None, **changes: Any) -> str:
    said = {
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT, "email_verified": True, "sub": "1",
        "iat": int(AT.timestamp()), "exp": int((AT + timedelta(hours=1)).timestamp()),
    }  # fmt: skip
    parts = [{"alg": "RS256", "kid": "k1", "typ": "JWT"} | (head or {}), {k: v for k, v in (said | changes).items() if v is not None}]
    signed = ".".join(b64(json.dumps(each)) for each in parts)
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def trust(**changes: Any) -> bytes:
    return json.dumps({"audience": AUDIENCE, "email": ACCOUNT, "secret": "own", "keys": [jwk(KEY)]} | changes).encode()


def holds(given: str, at: datetime | None = AT, secret: bytes | None = None, scheme: str = "Bearer") -> bool:
    return sources()["gmail"].verify({"authorization": f"{scheme} {given}"}, b"{}", trust() if secret is None else secret, at)


def test_a_true_token_holds_while_it_lives() -> None:
    good, exp = token(), AT + timedelta(hours=1)
    assert holds(good)
    assert holds(good, scheme="bearer")
    assert holds(good, exp + LEEWAY - timedelta(seconds=1))
    assert not holds(good, exp + LEEWAY)
    assert holds(good, AT - LEEWAY)
    assert not holds(good, AT - LEEWAY - timedelta(seconds=1))
    assert not holds(good, None)
    assert holds(token(iss="accounts.google.com", iat=None))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"aud": "https://other.example"}, {"email": "else@project.iam.gserviceaccount.com"},
        {"email_verified": False}, {"email": None}, {"exp": None}, {"exp": 0}, {"aud": [AUDIENCE]}, {"nbf": 4_000_000_000}, {"exp": "1e9"},
    ],
)  # fmt: skip
def test_every_claim_must_be_as_agreed(claims: dict[str, Any]) -> None:
    assert not holds(token(**claims))


def test_only_the_keys_that_are_given_sign_and_only_by_rs256() -> None:
    assert not holds(token(OTHER))
    assert not holds(token(head={"kid": "k2"}))
    assert holds(token(OTHER, head={"kid": "k2"}), secret=trust(keys=[jwk(KEY), jwk(OTHER, "k2")]))  # while Google rotates
    assert not holds(token(), secret=trust(keys=[]))
    assert not holds(token(), secret=b"not json")
    head, said, _ = token().split(".")
    unsigned = f"{b64(json.dumps({'alg': 'none', 'kid': 'k1'}))}.{said}."
    public = json.dumps(jwk(KEY)).encode()
    confused_head = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'k1'}))}.{said}"
    confused = f"{confused_head}.{b64(hmac.new(public, confused_head.encode(), hashlib.sha256).digest())}"
    assert not any(
        holds(each) for each in (unsigned, confused, f"{head}.{said}.", "", "a.b.c", "é.é.é", f"{head}.{said}.{b64(b'x' * 256)}")
    )
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 — that is what must be refused
    assert not holds(token(small), secret=trust(keys=[jwk(small)]))
    assert not holds(token(), secret=trust(keys=[{"kty": "RSA", "kid": "k1", "n": "!", "e": "AQAB"}]))


def test_what_we_fetched_ourselves_is_signed_with_a_secret_of_its_own() -> None:
    verify, raw = sources()["gmail"].verify, json.dumps({"emailAddress": BOX, "historyId": 1}).encode()
    digest = hmac.new(b"own", raw, hashlib.sha256).hexdigest()
    assert verify({"x-flexoraa-signature": digest}, raw, trust())
    assert not verify({"x-flexoraa-signature": digest}, raw + b" ", trust())
    empty = hmac.new(b"", raw, hashlib.sha256).hexdigest()
    assert not verify({"x-flexoraa-signature": empty}, raw, trust(secret=""))
    assert not verify({"x-flexoraa-signature": digest, "authorization": f"Bearer {token()}"}, raw, trust(secret="else"), AT)


def test_a_mailbox_that_is_only_polled_believes_no_push_whatever_it_claims() -> None:
    trust = json.dumps({"secret": "s", "keys": []}).encode()
    raw = json.dumps({"emailAddress": BOX, "historyId": "5"}).encode()
    own = hmac.new(b"s", raw, hashlib.sha256).hexdigest()
    assert sources()["gmail"].verify({"x-flexoraa-signature": own}, raw, trust, AT)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_numbers()
    jwk = {"kid": "k", "n": b64(public.n.to_bytes(256, "big")), "e": b64(public.e.to_bytes(3, "big"))}
    claims = {"iss": "https://accounts.google.com", "aud": "", "email": "", "email_verified": True, "exp": AT.timestamp() + 60}
    signed = ".".join(b64(json.dumps(each)) for each in ({"alg": "RS256", "kid": "k"}, claims))
    token = f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
    for trusted in ({"secret": "s", "keys": [jwk]}, {"keys": [jwk], "email": ""}):
        assert not sources()["gmail"].verify({"authorization": f"Bearer {token}"}, raw, json.dumps(trusted).encode(), AT)
