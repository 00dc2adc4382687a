"""Budgets, timelines and languages: hand-written tables, laws over made-up messages, and second libraries where one reads the same."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dateparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from price_parser import Price

from ml.signals.amounts import budget
from ml.signals.dates import festival_date
from ml.signals.language import language
from ml.signals.timelines import timeline
from ml.signals.words import key, latin
from tests.outside import data

HERE = Path(__file__).resolve().parent
AT = datetime(2026, 3, 4, 4, 30, tzinfo=UTC)
"""Wednesday, ten in the morning in India."""
ZONE = "Asia/Kolkata"


def table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


BUDGETS, TIMELINES = table("signal_budgets.tsv"), table("signal_timelines.tsv")


def minor(text: str) -> int | None:
    return None if text == "-" else int(text) * 100


def days(text: str, at: datetime = AT, zone: str = ZONE) -> int | None:
    found = timeline(text, at, zone)
    return None if found is None else found.days


def bounds(text: str, currency: str = "INR") -> tuple[int | None, int | None, str] | None:
    found = budget(text, currency)
    return None if found is None else found[:3]


def test_every_budget_of_the_table_is_read() -> None:
    wrong = []
    for row in BUDGETS:
        expected = (minor(row["low"]), minor(row["high"]), row["currency"]) if row["currency"] else None
        if (found := bounds(row["text"])) != expected:
            wrong.append((row["text"], found, expected))
    assert not wrong
    assert len(BUDGETS) >= 380


def test_every_timeline_of_the_table_is_read() -> None:
    wrong = [(row["text"], found, row["days"]) for row in TIMELINES if str(found := days(row["text"])) != (row["days"] or "None")]
    assert not wrong
    assert len(TIMELINES) >= 480


MOMENTS = st.integers(0, 1_000 * 86_400).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
WORDS = "2 k lakh se - to baad diwali ke next mahine ₹ 50 under / . kal ek do sava 1,000 tak nahi mein % april 15"
INDIAN = st.integers(1_000, 99_99_99_999)


def grouped(number: int) -> str:
    """With commas as in India: 12,34,567."""
    head, tail = str(number)[:-3], str(number)[-3:]
    parts = []
    while head:
        head, part = head[:-2], head[-2:]
        parts.insert(0, part)
    return ",".join([*parts, tail])


@given(INDIAN, st.sampled_from(["₹{}", "Rs. {}", "Rs {}/-", "{} rupees", "INR {}", "{} रुपये", "mera budget {} hai"]))
def test_an_amount_is_the_same_in_digits_of_any_script_and_grouping(number: int, form: str) -> None:
    plain = form.format(number)
    native = form.format(grouped(number)).translate(str.maketrans("0123456789", "०१२३४५६७८९"))
    if number >= 10**9 and "budget" in form:
        return  # ten digits without a mark may be a phone
    expected = (number * 100, number * 100, "INR")
    assert bounds(form.format(grouped(number))) == bounds(native) == expected
    if "budget" not in form:
        assert bounds(plain) == expected


@given(st.integers(1, 999), st.integers(1, 999), st.sampled_from(["k", "lakh", "cr", " hazaar", "L", " लाख"]))
def test_the_end_without_a_scale_has_that_of_the_other(one: int, other: int, scale: str) -> None:
    low, high = sorted((one, other))
    if low == high:
        high += 1
    assert bounds(f"{low}-{high}{scale}") == bounds(f"{low}{scale} to {high}{scale}")


@given(
    st.integers(6, 9),
    st.text("0123456789", min_size=9, max_size=9),
    st.sampled_from(["{}", "+91 {}", "call {}", "budget ke liye {} pe call karo"]),
)
def test_a_phone_number_is_never_a_budget(first: int, rest: str, form: str) -> None:
    import phonenumbers

    number = f"{first}{rest}"
    if phonenumbers.is_valid_number(phonenumbers.parse(number, "IN")):
        assert budget(form.format(number)) is None
        assert bounds(form.format(number) + ", budget 5 lakh") == (500_000_00, 500_000_00, "INR")


@given(st.decimals(1, 99_999, places=2), st.sampled_from(["$", "€", "£"]))
def test_a_plain_price_is_what_price_parser_reads(amount: object, sign: str) -> None:
    text = f"{sign}{amount}"
    read = Price.fromstring(text)
    found = budget(text, "USD")
    assert found is not None and read.amount is not None
    assert found.high_minor == int(read.amount * 100)


def test_the_tenants_currency_is_that_of_amounts_that_name_none_and_of_shared_signs() -> None:
    assert bounds("50k", "AED") == (50_000_00, 50_000_00, "AED")
    assert bounds("$50k", "SGD") == (50_000_00, 50_000_00, "SGD")
    assert bounds("$50k", "INR") == (50_000_00, 50_000_00, "USD")
    assert bounds("JPY nahi, 50k", "JPY") == (50_000, 50_000, "JPY")
    assert bounds("50k", "KWD") == (50_000_000, 50_000_000, "KWD")


@given(MOMENTS)
def test_next_week_and_month_lie_in_them_and_this_month_ends_with_it(at: datetime) -> None:
    today = at.date()
    week = today + timedelta(days=days("next week", at, "UTC") or 0)
    assert week.isocalendar()[:2] == (today + timedelta(days=7)).isocalendar()[:2]
    month = today + timedelta(days=days("agle mahine", at, "UTC") or 0)
    assert (month.year * 12 + month.month) == today.year * 12 + today.month + 1
    end = today + timedelta(days=days("is mahine", at, "UTC") or 0)
    assert (end + timedelta(days=1)).day == 1 and (end.year, end.month) == (today.year, today.month)


@given(st.integers(1, 400), MOMENTS)
def test_a_date_is_as_far_away_as_it_is(ahead: int, at: datetime) -> None:
    day = at.date() + timedelta(days=ahead)
    for form in (f"by {day.day} {day:%B} {day.year}", f"{day:%d/%m/%Y} tak", f"{day.isoformat()}", f"{day:%b} {day.day}, {day.year}"):
        assert days(form, at, "UTC") == ahead


@pytest.mark.parametrize(
    "text", ["15 April", "3rd Jan 2027", "December 25", "12/08/2026", "2026-05-01", "in 3 weeks", "in 10 days", "tomorrow"]
)
def test_dates_are_those_of_dateparser(text: str) -> None:
    settings = {"RELATIVE_BASE": AT.replace(tzinfo=None), "PREFER_DATES_FROM": "future", "DATE_ORDER": "DMY"}
    read = dateparser.parse(text, languages=["en"], settings=settings)  # type: ignore[arg-type]  # its own TypedDict of settings
    assert read is not None
    assert days(text) == (read.date() - AT.date()).days


def test_tomorrow_is_the_tenants_own() -> None:
    late = datetime(2026, 3, 7, 20, tzinfo=UTC)  # Sunday, half past one at night, in India
    assert (days("this weekend", late, "UTC"), days("this weekend", late)) == (0, 0)
    assert (days("monday", late, "UTC"), days("monday", late)) == (2, 1)
    assert days("month end", datetime(2026, 3, 31, 18, 29, 59, 999_999, tzinfo=UTC)) == 0
    assert days("month end", datetime(2026, 3, 31, 18, 30, tzinfo=UTC)) == 29


@pytest.mark.parametrize("text", ["31.03.2026", "v1.2.3", "1.2.3.4", "10.10", "..5", "192.168.0.1 budget 5 lakh"])
def test_numbers_with_several_points_are_dates_or_nothing(text: str) -> None:
    assert days(text) == (27 if text == "31.03.2026" else None)
    assert bounds(text) == ((500_000_00, 500_000_00, "INR") if "lakh" in text else None)


def test_a_festival_beyond_the_table_has_no_date() -> None:
    assert festival_date("diwali", date(2026, 11, 8)) == date(2026, 11, 8)
    assert festival_date("diwali", date(2026, 11, 9)) == date(2027, 10, 29)
    assert festival_date("diwali", date(2030, 10, 27)) is None
    assert days("after diwali", datetime(2031, 1, 1, tzinfo=UTC)) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    found, when = budget(text), timeline(text, AT, ZONE)
    assert found is None or found.minor >= 0
    assert when is None or when.days >= 0
    assert 0 <= language(text).confidence <= 1


@given(
    st.lists(
        st.sampled_from(WORDS.split()),
        max_size=12,
    )
)
def test_any_row_of_words_that_mean_something_is_read_without_a_crash(words: list[str]) -> None:
    text = " ".join(words)
    found = budget(text)
    assert found is None or found.low_minor is None or found.high_minor is None or found.low_minor <= found.high_minor
    timeline(text, AT, ZONE)


def test_spellings_of_a_hindi_word_share_its_key() -> None:
    for words in ("pachas pachaas पचास", "hazaar hajaar hazar हज़ार हजार", "mahine maheene महीने", "diwali divali दिवाली"):
        assert len({key(latin(word)) for word in words.split()}) == 1, words


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What is the price of the premium plan?", "en"), ("Bhaiya price kya hai iska", "hinglish"), ("इसकी कीमत क्या है", "hi"),
        ("मुझे 2 BHK flat चाहिए", "hi"), ("kal tak bhej do please", "hinglish"), ("I want to buy it this week", "en"),
        ("Namaste, mujhe demo chahiye", "hinglish"), ("👍👍", "und"), ("5,00,000", "und"), ("ok done", "en"),
    ],
)  # fmt: skip
def test_languages(text: str, name: str) -> None:
    assert language(text).name == name


def test_languages_of_other_peoples_messages() -> None:
    path = data("hinglish_top", "test.tsv")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:2000]
    assert sum(language(row["en_query"]).name == "en" for row in rows) >= 0.99 * len(rows)
    assert sum(language(row["cs_query"]).name == "hinglish" for row in rows) >= 0.95 * len(rows)
