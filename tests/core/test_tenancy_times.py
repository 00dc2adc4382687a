"""The tenants file over time: what is never valid twice, and what has no gap."""

from tests.core.tenants_text import GOOD, changed, problems


def test_two_tenants_cannot_hold_one_account_at_the_same_time() -> None:
    second = GOOD.split("tenants:\n")[1].replace("id: acme", "id: other").replace('numbers: ["2"]', 'numbers: ["3"]')
    found = problems(GOOD + second)
    assert len(found) == 2
    assert "f.yaml:25: tenants[1].connections[0]: the whatsapp account 1 is already of tenant acme at that time" in found
    assert any("razorpay account acc_1" in each for each in found)
    # One after the other is no conflict: the ranges are half-open.
    first = GOOD.replace("verify_secrets: [{env: A}], valid_from", "verify_secrets: [{env: A}], valid_to: 2026-06-01T00:00:00Z, valid_from")
    later = second.replace("[{env: A}], valid_from: 2026-01-01T00:00:00Z", "[{env: A}], valid_from: 2026-06-01T00:00:00Z")
    assert problems(first + later) == []


def test_ranges_one_after_the_other_cover_and_a_gap_does_not() -> None:
    rate = "      - {currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z}\n"
    until = "      - {currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z, valid_to: 2026-06-01T00:00:00Z}\n"
    after = "      - {currency: INR, tokens_per_major: 12, valid_from: 2026-0%d-01T00:00:00Z}\n"
    assert changed(rate, until + after % 6) == []
    found = changed(rate, until + after % 7)
    assert len(found) == 2  # both connections
    assert "from 2026-06-01T00:00:00+00:00 to 2026-07-01T00:00:00+00:00" in found[0]
    assert "overlaps" in changed(rate, until + after % 5)[0]


def test_a_promise_has_no_hole_between_its_versions_unless_one_to_any_tier_fills_it() -> None:
    policy = (
        "      - {id: %s, tier: %s, metric: first_response, target_seconds: 300, calendar: office, valid_from: 2026-0%d-01T00:00:00Z%s}\n"
    )
    until = ", valid_to: 2026-06-01T00:00:00Z"
    text = GOOD + "    sla_policies:\n" + policy % ("hot", "HOT", 1, until)
    assert problems(text) == []  # a promise may end
    assert problems(text + policy % ("hot2", "HOT", 6, "")) == []
    [found] = problems(text + policy % ("hot2", "HOT", 7, ""))
    assert "no first_response is promised to HOT for the time from 2026-06-01T00:00:00+00:00 to 2026-07-01T00:00:00+00:00" in found
    assert problems(text + policy % ("hot2", "HOT", 7, "") + policy % ("any", "ANY", 3, "")) == []


def test_a_credit_that_never_ends_bars_those_that_would() -> None:
    rate = "      - {currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z}\n"
    first = "      - {currency: INR, tokens_per_major: 10, %svalid_from: 2026-01-01T00:00:00Z, valid_to: 2026-06-01T00:00:00Z}\n"
    then = "      - {currency: INR, tokens_per_major: 10, %svalid_from: 2026-06-01T00:00:00Z}\n"
    life, floor = "expires_after_days: 365, ", "expires_not_before: 2027-06-01T00:00:00Z, "
    assert changed(rate, first % life + then % "") == changed(rate, first % (life + floor) + then % life) == []
    assert "credits never expire, so those of credit_rates[1] bought later never could" in changed(rate, first % "" + then % life)[0]
    assert "means nothing without expires_after_days" in changed(rate, first % floor + then % "")[0]


def test_debit_rates_of_a_kind_have_no_gap() -> None:
    feed = "      - {id: os, source: platform, account_id: a, verify_secrets: [{env: A}], valid_from: 2026-01-01T00:00:00Z}\n    calendars:"
    rates = "    debit_rates:\n"
    rates += "      - {kind: message, channel: whatsapp, tokens: 2, valid_from: 2026-01-01T00:00:00Z, valid_to: 2026-06-01T00:00:00Z}\n"
    after = "      - {kind: message, tokens: 1, valid_from: 2026-0%d-01T00:00:00Z}\n"
    with_feed = GOOD.replace("    calendars:", feed)
    assert problems(with_feed + rates + after % 6) == problems(with_feed) == problems(GOOD + rates) == []
    assert (
        "debit_rates of message do not cover the time from 2026-06-01T00:00:00+00:00 to 2026-07"
        in problems(with_feed + rates + after % 7)[0]
    )


def test_message_prices_of_one_channel_and_category_never_overlap() -> None:
    price = "      - {channel: whatsapp, category: marketing, price_minor: 86, valid_from: 2026-0%d-01T00:00:00Z}\n"
    assert problems(GOOD + "    message_prices:\n" + price % 1) == []
    assert "overlaps" in problems(GOOD + "    message_prices:\n" + price % 1 + price % 2)[0]
