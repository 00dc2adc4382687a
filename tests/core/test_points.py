"""Normal forms of contact points."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import Point, Reject
from core.points import normalise


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("16505551234", "IN", "+16505551234"),  # vendors' examples: in use by nobody, accepted all the same
        ("972987654321", "IN", "+972987654321"),
        ("15550783881", "IN", "+15550783881"),
        ("919876543210", "IN", "+919876543210"),
        ("919876543210", "US", "+919876543210"),
        ("+91 98765 43210", "US", "+919876543210"),
        ("9876543210", "IN", "+919876543210"),
        ("098765-43210", "IN", "+919876543210"),
        ("0151 23456789", "DE", "+4915123456789"),
        ("+4915123456789", "IN", "+4915123456789"),
        ("(650) 555-1234", "US", "+16505551234"),
        ("\uff0b\uff14\uff1915123456789", "IN", "+4915123456789"),  # full-width digits
        ("5511987654321", "IN", "+5511987654321"),
    ],
)
def test_phones(text: str, region: str, expected: str) -> None:
    assert normalise(Point("phone", text), region) == Point("phone", expected)


@pytest.mark.parametrize("text", ["", "  ", "12345", "TIMESTAMP", "+91", "+91 98765", "call me", "1" * 400])
def test_what_is_no_phone_is_refused_without_quoting_it(text: str) -> None:
    found = normalise(Point("phone", text), "IN")
    assert isinstance(found, Reject)
    assert found.reason == "bad_contact"
    assert not text.strip() or text not in found.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Asha@Example.COM ", "asha@example.com"),
        ("ａ@b.example", "a@b.example"),
        ("first.last+tag@sub.b.example", "first.last+tag@sub.b.example"),
    ],
)
def test_emails(text: str, expected: str) -> None:
    assert normalise(Point("email", text), "IN") == Point("email", expected)


@pytest.mark.parametrize("text", ["asha", "@b.example", "a@b", "a b@c.example", "a@b@c.example", ""])
def test_what_is_no_email(text: str) -> None:
    assert isinstance(normalise(Point("email", text), "IN"), Reject)


def test_other_kinds_are_stripped_and_keep_their_case() -> None:
    assert normalise(Point("igsid", " 17841400008460056 "), "IN") == Point("igsid", "17841400008460056")
    assert normalise(Point("wa_user_id", "IN.AbC123"), "IN") == Point("wa_user_id", "IN.AbC123")


@given(st.sampled_from(["phone", "email", "psid"]), st.text(max_size=40), st.sampled_from(["IN", "US", "DE", "SG"]))
def test_a_normal_form_is_its_own_normal_form_everywhere(kind: str, text: str, region: str) -> None:
    once = normalise(Point(kind, text), region)  # type: ignore[arg-type]  # kinds of the type
    if isinstance(once, Point):
        for anywhere in ("IN", "US", "DE"):
            assert normalise(once, anywhere) == once


@given(st.integers(10**7, 10**15 - 1), st.sampled_from(["IN", "US", "DE"]))
def test_international_digits_are_always_a_phone(digits: int, region: str) -> None:
    assert isinstance(normalise(Point("phone", str(digits)), region), Point)


@settings(max_examples=2_000)
@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.from_regex(r"[0-9]{4,13}", fullmatch=True))
def test_a_number_that_is_in_its_normal_form_by_its_look_is_so_by_the_library(code: int, rest: str) -> None:
    """Which is asked only of the others: it takes 15 µs for a number."""
    text = f"+{code}{rest}"
    found = normalise(Point("phone", text), "IN")
    number = phonenumbers.parse(text, None)
    by_library = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert found == Point("phone", by_library) or (isinstance(found, Reject) and not phonenumbers.is_possible_number(number))
