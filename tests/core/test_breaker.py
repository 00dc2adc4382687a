"""When a segment is held: more than 5 % of what is authentic, 20 at least, and nothing that an outsider can send counts."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from core.breaker import judge
from core.ports import Count, Held


def held(tenant: str, reason: str, number: int, source: str = "whatsapp") -> list[Held]:
    return [Held(each, 1, tenant, source, None, reason, "", "", None, b"", "") for each in range(number)]


def accepted(tenant: str, number: int, source: str = "whatsapp") -> Count:
    return Count(tenant, source, number, number, 0)


def is_held(counts: list[Count], rejects: list[Held]) -> bool:
    return bool(judge(counts, rejects))


def test_exactly_five_percent_is_taken_in_and_one_more_is_not() -> None:
    assert not is_held([accepted("acme", 380)], held("acme", "bad_shape", 20))
    assert is_held([accepted("acme", 379)], held("acme", "bad_shape", 20))
    assert not is_held([accepted("acme", 950)], held("acme", "bad_shape", 50))
    assert is_held([accepted("acme", 949)], held("acme", "bad_shape", 50))


def test_nineteen_rejects_conclude_nothing_and_twenty_do() -> None:
    assert not is_held([], held("acme", "bad_shape", 19))
    assert is_held([], held("acme", "bad_shape", 20))
    assert is_held([], [*held("acme", "bad_shape", 10), *held("acme", "bad_time", 10)])
    assert not is_held([], [*held("acme", "bad_shape", 19), *held("acme", "bad_shape", 19, "razorpay"), *held("moss", "bad_shape", 19)])


def test_whoever_has_no_secret_can_neither_trip_it_nor_hide_a_broken_decoder() -> None:
    junk = [*held("acme", "wrong_signature", 9_999), *held("", "unknown_account", 9_999), *held("", "not_json", 9_999)]
    assert not is_held([accepted("acme", 100)], junk)
    assert is_held([accepted("acme", 100)], [*junk, *held("acme", "bad_shape", 20)])
    assert not is_held([accepted("acme", 100)], held("acme", "not_an_event", 500))


def test_one_tenants_good_events_do_not_make_up_for_anothers_broken_ones() -> None:
    (verdict,) = judge([accepted("acme", 100_000), accepted("moss", 10)], held("moss", "bad_shape", 30))
    assert (verdict.tenant_id, verdict.received, verdict.rejected, verdict.reasons) == ("moss", 40, 30, {"bad_shape": 30})


@given(good=st.integers(0, 2_000), bad=st.integers(0, 120))
def test_it_is_the_share_in_exact_numbers(good: int, bad: int) -> None:
    wanted = bad >= 20 and Fraction(bad, good + bad) > Fraction(5, 100)
    assert is_held([accepted("acme", good)], held("acme", "bad_time", bad)) == wanted
