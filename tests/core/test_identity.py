"""Which points are one lead: against a walk through events with networkx, and the laws that must hold for any history."""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from core.identity import resolve
from core.reference import LeadPoint
from tests.core.identity_histories import KINDS, POINTS, SOME, STRENGTHS, found, inputs, link_of, resolved, written
from tests.oracles.identity import CHANGES, EPOCH, MICRO, START, Said, at, leads

POINT = st.sampled_from(POINTS)
PAIR = st.tuples(POINT, POINT).filter(lambda pair: pair[0] != pair[1])
MINUTE = st.integers(0, 8)
TENANT = st.sampled_from(("t", "u"))
SAID = st.builds(
    lambda kind, pair, minute, tenant: Said(kind, pair[0], "" if kind in {"message", "payment"} else pair[1], minute, tenant),
    st.sampled_from(SOME), PAIR, MINUTE, TENANT,
)  # fmt: skip
HISTORY = st.lists(SAID, max_size=14)


@settings(max_examples=200, deadline=None)
@given(HISTORY, MINUTE)
def test_leads_are_those_of_the_walk_through_events_at_any_moment(history: list[Said], as_of: int) -> None:
    known = [each for each in history if each.minute <= as_of]
    assert found(resolved(history)) == leads(history)
    assert found(resolved(known)) == leads(known)


@settings(max_examples=60, deadline=None)
@given(HISTORY, st.data())
def test_the_order_and_repetition_of_what_is_known_do_not_matter(history: list[Said], data: st.DataObject) -> None:
    sightings, links = inputs(history)
    again = links + data.draw(st.lists(st.sampled_from(links), max_size=3)) if links else links
    other = resolve(data.draw(st.permutations(sightings)), data.draw(st.permutations(again)), KINDS, STRENGTHS)
    assert written(other) == written(resolve(sightings, links, KINDS, STRENGTHS))


@settings(max_examples=100, deadline=None)
@given(HISTORY)
def test_at_any_moment_since_it_was_first_seen_one_lead_at_most_holds_a_point_and_exactly_one_when_it_speaks(history: list[Said]) -> None:
    rows: dict[tuple[str, str], list[LeadPoint]] = defaultdict(list)
    resolution = resolved(history)
    for row in resolution.points:
        rows[row.tenant_id, row.point_id].append(row)
    for of_point in rows.values():
        assert all(row.valid_to is None or row.valid_from < row.valid_to for row in of_point)  # so (point, valid_from) is a key
        for before, after in pairwise(of_point):
            assert before.valid_to == after.valid_from  # neither a gap nor an overlap
        assert all(row.valid_to is not None for row in of_point[:-1])
    for said in history:
        is_told_first = bool(said.other) and link_of(said) in resolution.holders.changes
        points = {"message": [said.point], "linked": [said.point, said.other]}.get(said.kind, [said.other] if is_told_first else [])
        for point in points:
            holding = [
                row
                for row in rows[said.tenant, point]
                if row.valid_from <= at(said.minute) and (row.valid_to is None or at(said.minute) < row.valid_to)
            ]
            assert len(holding) == 1


@settings(max_examples=60, deadline=None)
@given(HISTORY, POINT)
def test_a_newer_point_that_joins_changes_no_lead_id(history: list[Said], joined: str) -> None:
    before = resolved(history).points
    newer = resolved([*history, Said("linked", joined, "cp_z", 99)]).points
    if any(row.tenant_id == "t" and row.point_id == joined for row in before):
        kept = {(row.tenant_id, row.point_id, row.valid_from): row.lead_id for row in newer}
        assert all(kept[row.tenant_id, row.point_id, row.valid_from] == row.lead_id for row in before)


@settings(max_examples=60, deadline=None)
@given(HISTORY)
def test_every_id_that_a_lead_ever_had_leads_to_it(history: list[Said]) -> None:
    latest = resolved(history)
    own = {(row.tenant_id, row.lead_id) for row in latest.points}
    aliases = {(row.tenant_id, row.alias_id) for row in latest.aliases}
    assert not own & aliases
    assert {(row.tenant_id, row.lead_id) for row in latest.aliases} <= own
    holders = {(each.tenant_id, each.own_id) for each in latest.holders.all}
    for minute in {each.minute for each in history}:  # an id vanishes only with its holder: late news may say that there was no such one
        for row in resolved([each for each in history if each.minute <= minute]).points:
            assert (row.tenant_id, row.lead_id) in own | aliases or (row.tenant_id, row.lead_id) not in holders


def rows(*history: Said) -> list[tuple[str, str, int, int | None]]:
    """Point, lead, and from which minute to which; a later holder's id with the minute from which it counts."""

    def lead(own_id: str) -> str:
        point, _, first = own_id.removeprefix("lead_").partition("_")
        return f"{point}@{(EPOCH + int(first) * MICRO - START).seconds // 60}" if first else point

    return [
        (row.point_id[3:], lead(row.lead_id), (row.valid_from - START).seconds // 60, row.valid_to and (row.valid_to - START).seconds // 60)
        for row in resolved(list(history)).points
    ]


A0, B1, CHANGED = Said("message", "cp_a", "", 0), Said("message", "cp_b", "", 1), Said("number_changed", "cp_a", "cp_b", 5)


def test_a_changed_number_keeps_the_lead_and_closes_the_old_point() -> None:
    assert rows(A0, CHANGED) == [("a", "a", 0, 5), ("b", "a", 5, None)]
    assert rows(A0, CHANGED, Said("message", "cp_b", "", 9)) == [("a", "a", 0, 5), ("b", "a", 5, None)]


def test_who_writes_from_the_old_number_afterwards_is_somebody_new() -> None:
    assert rows(A0, CHANGED, Said("message", "cp_a", "", 7)) == [("a", "a", 0, 5), ("a", "a@5", 5, None), ("b", "a", 5, None)]
    assert rows(A0, CHANGED, Said("message", "cp_a", "", 5)) == [("a", "a", 0, 5), ("a", "a@5", 5, None), ("b", "a", 5, None)]
    assert rows(A0, CHANGED, Said("message", "cp_a", "", 4)) == [("a", "a", 0, 5), ("b", "a", 5, None)]
    assert rows(A0, CHANGED, Said("linked", "cp_a", "cp_c", 7))[1:] == [("a", "a@5", 5, None), ("b", "a", 5, None), ("c", "a@5", 7, None)]


def test_changing_back_is_still_one_lead() -> None:
    back = Said("number_changed", "cp_b", "cp_a", 8)
    assert rows(A0, CHANGED, back) == [("a", "a", 0, 5), ("a", "a", 5, None), ("b", "a", 5, 8)]
    assert rows(A0, CHANGED, back, Said("message", "cp_b", "", 9))[-1] == ("b", "b@8", 8, None)


def test_changing_back_to_a_number_that_somebody_new_had_by_then_takes_it_from_him() -> None:
    found_ = rows(A0, CHANGED, Said("message", "cp_a", "", 6), Said("number_changed", "cp_b", "cp_a", 8))
    assert found_ == [("a", "a", 0, 5), ("a", "a@5", 5, 8), ("a", "a", 8, None), ("b", "a", 5, 8)]


def test_a_chain_of_changes_is_one_lead() -> None:
    chain = [CHANGED, Said("user_id_changed", "cp_b", "cp_c", 6), Said("number_changed", "cp_c", "cp_d", 7)]
    assert rows(A0, *chain) == [("a", "a", 0, 5), ("b", "a", 5, 6), ("c", "a", 6, 7), ("d", "a", 7, None)]


def test_a_link_at_the_instant_of_the_change_is_of_the_new_owner() -> None:
    found_ = rows(A0, CHANGED, Said("linked", "cp_a", "cp_c", 5))
    assert found_ == [("a", "a", 0, 5), ("a", "a@5", 5, None), ("b", "a", 5, None), ("c", "a@5", 5, None)]


def test_two_who_swap_numbers_stay_two() -> None:
    found_ = rows(A0, B1, CHANGED, Said("number_changed", "cp_b", "cp_a", 5))
    assert found_ == [("a", "a", 0, 5), ("a", "b", 5, None), ("b", "b", 1, 5), ("b", "a", 5, None)]


def test_a_change_to_a_number_in_use_is_a_recycled_number_and_of_a_user_id_in_use_the_same_person() -> None:
    assert rows(A0, B1, CHANGED) == [("a", "a", 0, 5), ("b", "b", 1, 5), ("b", "a", 5, None)]
    assert rows(A0, B1, CHANGED._replace(kind="user_id_changed")) == [("a", "a", 0, 5), ("b", "a", 1, None)]
    assert rows(A0, Said("payment", "cp_b", "", 1), CHANGED) == [("a", "a", 0, 5), ("b", "a", 1, None)]  # paying is no use of a number


def test_a_change_that_is_told_again_later_tells_nothing_new() -> None:
    again = CHANGED._replace(minute=7)
    assert rows(A0, CHANGED, again) == rows(A0, CHANGED)
    moved_on = Said("number_changed", "cp_b", "cp_c", 6)
    assert rows(A0, CHANGED, moved_on, again) == rows(A0, CHANGED, moved_on)
    new_owner = Said("message", "cp_a", "", 5)
    assert rows(A0, CHANGED, new_owner, again)[1] == ("a", "a@5", 5, 7)  # somebody was there who could change


def test_two_changes_at_one_instant_end_at_what_both_say() -> None:
    both = [CHANGED, Said("number_changed", "cp_a", "cp_c", 5)]
    assert rows(A0, *both) == [("a", "a", 0, 5), ("b", "a", 5, None), ("c", "a", 5, None)]
    from_two = [CHANGED, Said("number_changed", "cp_c", "cp_b", 5)]
    assert rows(A0, Said("message", "cp_c", "", 1), *from_two) == [("a", "a", 0, 5), ("b", "a", 5, None), ("c", "a", 1, 5)]
    in_a_row = [CHANGED, Said("number_changed", "cp_b", "cp_c", 5)]
    assert rows(A0, B1, *in_a_row) == [("a", "a", 0, 5), ("b", "b", 1, 5), ("b", "a", 5, None), ("c", "b", 5, None)]


def test_a_number_that_changes_to_itself_does_not_change() -> None:
    assert rows(A0, Said("number_changed", "cp_a", "cp_a", 5)) == [("a", "a", 0, None)]


def test_news_of_an_earlier_change_moves_no_later_owners_id() -> None:
    owner, later = Said("message", "cp_a", "", 9), CHANGED._replace(minute=8)
    earlier = Said("number_changed", "cp_a", "cp_c", 3)
    assert ("a", "a@8", 8, None) in rows(A0, later, owner)
    assert ("a", "a@8", 8, None) in rows(A0, earlier, later, owner)


def test_a_number_known_by_its_change_alone_was_somebodys_until_then() -> None:
    old, new = resolved([CHANGED]).points
    assert (old.valid_from, old.valid_to, old.lead_id) == (at(5) - timedelta(microseconds=1), at(5), "lead_a")
    assert (new.valid_from, new.valid_to, new.lead_id) == (at(5), None, "lead_a")
    recycled = resolved([CHANGED, Said("message", "cp_a", "", 5)]).points
    assert [(row.point_id, row.valid_from) for row in recycled] == [("cp_a", old.valid_from), ("cp_a", at(5)), ("cp_b", at(5))]


def test_tenants_do_not_share_leads() -> None:
    shared = resolved([A0, A0._replace(tenant="u"), Said("linked", "cp_a", "cp_b", 1, "u")]).points
    assert [(row.tenant_id, row.point_id) for row in shared] == [("t", "cp_a"), ("u", "cp_a"), ("u", "cp_b")]


def test_who_only_pays_is_nobodys_lead() -> None:
    kinds = KINDS | {"cp_a": "razorpay_contact"}
    sightings, links = inputs([Said("payment", "cp_a", "", 0)])
    assert resolve(sightings, links, kinds, STRENGTHS).points == []
    sightings, links = inputs([Said("payment", "cp_a", "", 0), Said("linked", "cp_a", "cp_b", 1)])
    assert [row.lead_id for row in resolve(sightings, links, kinds, STRENGTHS).points] == ["lead_a", "lead_a"]


def test_nothing_known_is_no_lead() -> None:
    assert written(resolve([], [], {}, STRENGTHS)) == b"[[],[],[]]"


def test_kinds_of_changes_are_those_that_the_oracle_knows() -> None:
    from core.identity_holders import CHANGES as KNOWN

    assert KNOWN == CHANGES
