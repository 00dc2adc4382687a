"""An action's identity, its states and its retries."""

import hashlib
from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from core.actions import NEXT, State, key_of, retry_at

DUE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PARTS = st.lists(st.none() | st.text(alphabet="a1:-é\x00", max_size=4) | st.text(max_size=6), max_size=5)

VECTORS = {
    ("a", None, "bc"): "1e82d3a807e6bb511244cc6534f388a13f40e5c646e9e2072e9b7eb98b1cd55e",
    ("a-b", "c"): "8113510dd55cfcfdba46cf49f1cbb9c5dac3a98e8845c848c0544f1f3940ef04",
    ("é", ""): "f48aa107ce279182a70c763fad46fd34c1678a6f48ab90aba1b4d4a95abc0f87",
}
"""The same as those of the dbt macro in tests/dbt/test_keys.py."""


def test_keys_match_the_vectors_of_the_sql_macro() -> None:
    assert {parts: key_of(*parts) for parts in VECTORS} == VECTORS


def test_a_key_is_the_hash_of_length_prefixed_parts() -> None:
    assert key_of("a", None, "bc") == hashlib.sha256(b"1:a-2:bc").hexdigest()


@given(PARTS, PARTS)
def test_two_lists_of_parts_never_share_a_key(one: list[str | None], other: list[str | None]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(st.text(alphabet="ab:-1", max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_moving_the_border_between_parts_changes_the_key(text: str, first: int, second: int) -> None:
    one, other = (text[:first], text[first:]), (text[:second], text[second:])
    assert (key_of(*one) == key_of(*other)) == (one == other)


def test_a_wait_is_the_same_whenever_it_is_computed_and_grows_by_a_quarter_at_most() -> None:
    for attempt in range(1, 12):
        plain = retry_at(attempt, DUE) - DUE
        waits = {retry_at(attempt, DUE, f"a{number}") - DUE for number in range(200)}
        assert plain <= min(waits)
        assert max(waits) <= plain * 1.25
        assert len(waits) > 190
    assert retry_at(3, DUE, "a") == retry_at(3, DUE, "a")


def test_every_state_has_an_end_and_only_a_claim_leads_to_a_send_by_us() -> None:
    assert set(NEXT) == set(get_args(State))
    assert {state for state, following in NEXT.items() if "unknown" in following} == {"claimed"}
    assert {state for state, following in NEXT.items() if not following} == {"sent", "expired", "cancelled"}
