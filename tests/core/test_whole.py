"""A webhook of which nothing is amiss is taken in as a whole: it says what its items say one by one; and the shortcuts on that way."""

import hashlib
import hmac
import random
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.events import UNTOLD, Message, Reject
from core.intake import MAX_BODY_BYTES, Accepted, Account, Directory, Envelope, Rejected, Whole, take, told_by
from core.sources import sources
from core.sources._common import hmac_hex_matches
from tests.core.test_fuzz import mutated, seeds

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
START = datetime(2020, 1, 1, tzinfo=UTC)
SECRET = b"app"
HEADERS = {
    "whatsapp": ("X-Hub-Signature-256", "sha256="),
    "messenger": ("x-hub-signature-256", "sha256="),
    "instagram": ("x-hub-signature-256", "sha256="),
    "razorpay": ("X-Razorpay-Signature", ""),
    "platform": ("x-flexoraa-signature", ""),
}


def signed(source: str, raw: bytes) -> Envelope:
    name, scheme = HEADERS[source]
    return Envelope(source, AT, {name: scheme + hmac.digest(SECRET, raw, "sha256").hex()}, raw.decode())


def one_by_one(envelope: Envelope, holders: dict[str, Account]) -> list[Accepted | Rejected]:
    """The plain definition, of a body whose accounts are all known and share the secret."""
    found: list[Accepted | Rejected] = []
    for item in sources()[envelope.source].decode(
        envelope.body.encode(), {name.lower(): value for name, value in envelope.headers.items()}
    ):
        account_id = item.account_id or next(iter(holders))
        account = holders.get(account_id)
        if account is None:
            found.append(Rejected("", envelope.source, Reject("unknown_account", "", "", account_id)))
        elif isinstance(item, Reject):
            found.append(Rejected(account.tenant_id, envelope.source, item))
        else:
            item.account_id = account_id
            if isinstance(item, Message):
                item.channel_account_id = item.channel_account_id or account_id
            item.occurred_at = AT if item.occurred_at == UNTOLD else item.occurred_at
            found.append(Accepted(account, item))
    return found


def test_a_body_taken_in_as_a_whole_says_what_its_items_say_one_by_one() -> None:
    rng, known, wholes, others = random.Random(5), seeds(), 0, 0
    for n in range(1_500):
        source, raw = rng.choice(known)
        if source not in HEADERS:
            continue
        raw = raw if n % 3 == 0 else mutated(rng, raw)
        try:
            named = sources()[source].accounts(raw)
            envelope = signed(source, raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue
        if not named or len(raw) > MAX_BODY_BYTES:
            continue
        holders = {each: Account(rng.choice(("one", "two")), "IN", START, None, (SECRET,)) for each in named}
        directory = Directory({(source, each): [account] for each, account in holders.items()})
        wanted = one_by_one(envelope, holders)
        found = take(envelope, directory)
        assert [type(each) for each in found] == [type(each) for each in wanted]
        for told, expected in zip(found, wanted, strict=True):
            if isinstance(told, Rejected) and told.reject.reason == "unknown_account":
                assert isinstance(expected, Rejected)
                assert expected.reject.reason == "unknown_account"
            else:
                assert told == expected
        whole = told_by(envelope, directory)
        is_whole = all(isinstance(each, Accepted) for each in wanted) and len({id(each.account) for each in wanted}) == 1  # type: ignore[union-attr]
        assert isinstance(whole, Whole) == is_whole
        wholes, others = wholes + is_whole, others + (not is_whole)
    assert wholes > 200
    assert others > 50


@given(st.binary(max_size=200), st.binary(max_size=300), st.sampled_from([str, str.upper, lambda text: f" {text}\n"]))
@example(b"", b"", str)
@example(b"k" * 64, b"x" * 55, str)
@example(b"k" * 65, b"x" * 64, str)
def test_a_signature_holds_just_where_the_standard_librarys_hmac_says_so(secret: bytes, raw: bytes, written) -> None:  # type: ignore[no-untyped-def]
    right = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    assert hmac_hex_matches(secret, raw, written(right))
    for wrong in (right[:-1], right + "0", right[:-1] + ("0" if right[-1] != "0" else "1"), "", "é" * 64, "٣" * 64):
        assert not hmac_hex_matches(secret, raw, wrong)
    assert not hmac_hex_matches(secret, raw + b"x", right)
    assert not hmac_hex_matches(secret + b"x", raw, right)


@pytest.mark.parametrize("name", ["x-hub-signature-256", "X-Hub-Signature-256", "X-HUB-SIGNATURE-256"])
def test_a_header_counts_however_its_name_is_written(name: str) -> None:
    raw = b'{"entry":[{"id":"1","changes":[]}]}'
    envelope = Envelope("whatsapp", AT, {"a": "b", name: "sha256=" + hmac.digest(SECRET, raw, "sha256").hex()}, raw.decode())
    directory = Directory({("whatsapp", "1"): [Account("one", "IN", START, None, (SECRET,))]})
    (told,) = take(envelope, directory)
    assert isinstance(told, Rejected)
    assert told.reject.reason == "bad_shape"  # and not wrong_signature
    del envelope.headers[name]
    (told,) = take(envelope, directory)
    assert isinstance(told, Rejected)
    assert told.reject.reason == "wrong_signature"
