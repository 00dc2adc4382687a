"""An action's identity, and the gate before every send."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Action, Standing, key_of, may_send

DUE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
END = DUE + timedelta(hours=2)
TICK = timedelta(microseconds=1)
PARTS = st.lists(st.none() | st.text(alphabet="a1:-é\x00", max_size=4) | st.text(max_size=6), max_size=5)

VECTORS = {
    ("a", None, "bc"): "1e82d3a807e6bb511244cc6534f388a13f40e5c646e9e2072e9b7eb98b1cd55e",
    ("a-b", "c"): "8113510dd55cfcfdba46cf49f1cbb9c5dac3a98e8845c848c0544f1f3940ef04",
    ("é", ""): "f48aa107ce279182a70c763fad46fd34c1678a6f48ab90aba1b4d4a95abc0f87",
}
"""The same as those of the dbt macro in tests/dbt/test_keys.py."""


def action(kind: str = "send_template", **changes: object) -> Action:
    values = {
        "action_id": "a1", "tenant_id": "t", "rule": "cold_recovery", "kind": kind, "channel": "whatsapp", "lead_id": "l1",
        "point_id": "p1", "account_id": "106", "template_name": "recovery_1", "subject": "l1", "trigger": "e1", "details": "{}",
        "due_at": DUE, "expires_at": END,
    }  # fmt: skip
    return Action(**(values | changes))  # type: ignore[arg-type]


GOOD = Standing(is_wanted=True, is_opted_out=False, is_erased=False, is_point_held=True, expires_at=END)


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


@pytest.mark.parametrize(
    ("now", "state"), [(DUE, None), (END - TICK, None), (END, "expired"), (END + TICK, "expired")], ids=["due", "last", "end", "after"]
)
@pytest.mark.parametrize("kind", ["send_template", "notify", "pause"])
def test_the_end_itself_is_too_late(kind: str, now: datetime, state: str | None) -> None:
    outcome = may_send(action(kind), GOOD, now)
    assert (outcome and outcome.state) == state


def test_the_newest_marts_may_shorten_an_action_and_never_lengthen_it() -> None:
    closed, longer = END - timedelta(hours=1), END + timedelta(hours=1)
    assert may_send(action("notify"), GOOD._replace(expires_at=closed), closed - TICK) is None
    outcome = may_send(action("notify"), GOOD._replace(expires_at=closed), closed)
    assert outcome is not None
    assert outcome.state == "expired"
    outcome = may_send(action("notify"), GOOD._replace(expires_at=longer), END)
    assert outcome is not None
    assert outcome.state == "expired"


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        (GOOD._replace(is_erased=True), "erased"),
        (GOOD._replace(is_opted_out=True), "opted out"),
        (GOOD._replace(is_point_held=False), "no longer holds"),
        (GOOD._replace(is_wanted=False, expires_at=None), "no longer stands"),
    ],
)
def test_a_lead_is_not_written_to_against_its_standing(standing: Standing, word: str) -> None:
    outcome = may_send(action(), standing, DUE)
    assert outcome is not None
    assert outcome.state == "cancelled"
    assert word in outcome.reason


@given(st.builds(Standing, *[st.booleans()] * 4, expires_at=st.just(END)), st.timedeltas(timedelta(0), timedelta(hours=4)))
def test_a_send_to_a_lead_passes_only_where_all_is_well(standing: Standing, after: timedelta) -> None:
    well = standing.is_wanted and standing.is_point_held and not standing.is_erased and not standing.is_opted_out
    assert (may_send(action(), standing, DUE + after) is None) == (well and DUE + after < END)


def test_the_tenants_own_people_hear_of_a_lead_whatever_it_wants_unless_the_reason_is_gone() -> None:
    standing = Standing(is_wanted=True, is_opted_out=True, is_erased=True, is_point_held=False)
    assert may_send(action("notify", lead_id=None, point_id=None), standing, DUE) is None
    outcome = may_send(action("notify"), standing._replace(is_wanted=False), DUE)
    assert outcome is not None
    assert outcome.state == "cancelled"
