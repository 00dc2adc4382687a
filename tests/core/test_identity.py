"""Which points are one lead: against an oracle that walks through events one by one, and the laws that must hold for any history."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from core.identity import CHANGES, Link, Sighting, resolve
from core.reference import LeadPoint

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = dict.fromkeys(("cp_a", "cp_b", "cp_c", "cp_d", "cp_e"), "phone")


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


class Said(NamedTuple):
    """One thing that was said: a message on a point, another sign of it (a payment), or evidence on two points."""

    kind: str
    point: str
    other: str
    minute: int
    tenant: str = "t"


def inputs(history: list[Said]) -> tuple[list[Sighting], list[Link]]:
    """What the lake tells of a history: see `Lake.sightings` and `Lake.links`."""
    first: dict[tuple[str, str], datetime] = {}
    last: dict[tuple[str, str], datetime] = {}
    links = []
    for said in sorted(history, key=lambda each: each.minute):
        named = [said.other] if said.kind in CHANGES else [said.point, said.other]
        for point in filter(None, named):
            first.setdefault((said.tenant, point), at(said.minute))
        if said.kind == "message":
            last[said.tenant, said.point] = at(said.minute)
        if said.other:
            links.append(Link(said.tenant, said.kind, said.point, said.other, at(said.minute)))
    return [Sighting(*key, moment, last.get(key)) for key, moment in first.items()], links


def resolved(history: list[Said]) -> list[LeadPoint]:
    return resolve(*inputs(history), KINDS)


class Holder:
    """Somebody's time with a point, in the oracle."""

    def __init__(self, key: tuple[str, str], generation: int, start: datetime) -> None:
        self.key, self.generation, self.start = key, generation, start
        self.end: datetime | None = None
        self.parent = self

    def root(self) -> "Holder":
        return self if self.parent is self else self.parent.root()

    def age(self) -> tuple[Any, ...]:
        return (self.start, self.key[1], self.generation)


def walked(history: list[Said]) -> list[LeadPoint]:
    """The oracle: minute by minute; at each, numbers are given up first, then everything said is of whoever holds them now."""
    holders: list[Holder] = []
    current: dict[tuple[str, str], Holder] = {}
    ended: dict[tuple[str, str], list[Holder]] = defaultdict(list)

    def holder(key: tuple[str, str], moment: datetime) -> Holder:
        if key not in current:
            start = ended[key][-1].end if ended[key] else moment
            assert start is not None
            current[key] = Holder(key, len(ended[key]), start)
            holders.append(current[key])
        return current[key]

    def join(one: Holder, other: Holder) -> None:
        one.root().parent = other.root()

    for minute in sorted({each.minute for each in history}):
        now = [each for each in history if each.minute == minute]
        for key in {(each.tenant, each.point) for each in now if each.kind in CHANGES}:
            leaver = holder(key, at(minute) - timedelta(microseconds=1))  # who was never seen before it left
            leaver.end = at(minute)
            ended[key].append(current.pop(key))
        for each in now:
            key, other = (each.tenant, each.point), (each.tenant, each.other)
            if each.kind in CHANGES:
                join(ended[key][-1], holder(other, at(minute)))
            elif each.kind == "linked":
                join(holder(key, at(minute)), holder(other, at(minute)))
            elif each.kind == "message" or not ended[key]:
                holder(key, at(minute))
    components: dict[Holder, list[Holder]] = defaultdict(list)
    for each in holders:
        components[each.root()].append(each)
    rows = []
    for members in components.values():
        oldest = min(members, key=Holder.age)
        lead_id = "lead_" + oldest.key[1][3:] + (f"_{oldest.generation}" if oldest.generation else "")
        rows += [
            LeadPoint(tenant_id=m.key[0], valid_from=m.start, valid_to=m.end, point_id=m.key[1], lead_id=lead_id, kind="phone")
            for m in members
        ]
    return rows


def order(row: LeadPoint) -> tuple[Any, ...]:
    return (row.tenant_id, row.point_id, row.valid_from, row.valid_to or datetime.max.replace(tzinfo=UTC))


POINT = st.sampled_from(sorted(KINDS))
PAIR = st.tuples(POINT, POINT).filter(lambda pair: pair[0] != pair[1])
MINUTE = st.integers(0, 8)
TENANT = st.sampled_from(("t", "u"))
SAID = st.one_of(
    st.builds(lambda kind, point, minute, tenant: Said(kind, point, "", minute, tenant), st.sampled_from(("message", "payment")), POINT, MINUTE, TENANT),
    st.builds(lambda kind, pair, minute, tenant: Said(kind, *pair, minute, tenant), st.sampled_from(("linked", *CHANGES)), PAIR, MINUTE, TENANT),
)  # fmt: skip
HISTORY = st.lists(SAID, max_size=14)


@settings(max_examples=250, deadline=None)
@given(HISTORY)
def test_leads_are_those_of_the_walk_through_events(history: list[Said]) -> None:
    assert sorted(resolved(history), key=order) == sorted(walked(history), key=order)


@settings(max_examples=100, deadline=None)
@given(HISTORY, st.data())
def test_the_order_and_repetition_of_what_is_known_do_not_matter(history: list[Said], data: st.DataObject) -> None:
    sightings, links = inputs(history)
    again = links + data.draw(st.lists(st.sampled_from(links), max_size=3)) if links else links
    assert resolve(data.draw(st.permutations(sightings)), data.draw(st.permutations(again)), KINDS) == resolve(sightings, links, KINDS)


@settings(max_examples=200, deadline=None)
@given(HISTORY)
def test_at_any_moment_since_it_was_first_seen_one_lead_at_most_holds_a_point_and_exactly_one_when_it_speaks(history: list[Said]) -> None:
    rows: dict[tuple[str, str], list[LeadPoint]] = defaultdict(list)
    for row in resolved(history):
        rows[row.tenant_id, row.point_id].append(row)
    for of_point in rows.values():
        assert all(row.valid_to is None or row.valid_from < row.valid_to for row in of_point)  # so (point, valid_from) is a key
        for before, after in pairwise(of_point):
            assert before.valid_to == after.valid_from  # neither a gap nor an overlap
        assert all(row.valid_to is not None for row in of_point[:-1])
    for said in history:
        points = {"message": [said.point], "linked": [said.point, said.other]}.get(said.kind, [said.other] if said.other else [])
        for point in points:
            holding = [
                row
                for row in rows[said.tenant, point]
                if row.valid_from <= at(said.minute) and (row.valid_to is None or at(said.minute) < row.valid_to)
            ]
            assert len(holding) == 1


@settings(max_examples=100, deadline=None)
@given(HISTORY, POINT)
def test_a_newer_point_that_joins_changes_no_lead_id(history: list[Said], joined: str) -> None:
    before = resolved(history)
    newer = resolve(*inputs([*history, Said("linked", joined, "cp_z", 99)]), KINDS | {"cp_z": "email"})
    if any(row.tenant_id == "t" and row.point_id == joined for row in before):
        kept = {(row.tenant_id, row.point_id, row.valid_from): row.lead_id for row in newer}
        assert all(kept[row.tenant_id, row.point_id, row.valid_from] == row.lead_id for row in before)


def leads(*history: Said) -> list[tuple[str, str, int, int | None]]:
    """Point, lead, and from which minute to which."""
    return [
        (row.point_id[3:], row.lead_id[5:], (row.valid_from - START).seconds // 60, row.valid_to and (row.valid_to - START).seconds // 60)
        for row in resolved(list(history))
    ]


A0, CHANGED = Said("message", "cp_a", "", 0), Said("number_changed", "cp_a", "cp_b", 5)


def test_a_changed_number_keeps_the_lead_and_closes_the_old_point() -> None:
    assert leads(A0, CHANGED) == [("a", "a", 0, 5), ("b", "a", 5, None)]
    assert leads(A0, CHANGED, Said("message", "cp_b", "", 9)) == [("a", "a", 0, 5), ("b", "a", 5, None)]


def test_who_writes_from_the_old_number_afterwards_is_somebody_new() -> None:
    assert leads(A0, CHANGED, Said("message", "cp_a", "", 7)) == [("a", "a", 0, 5), ("a", "a_1", 5, None), ("b", "a", 5, None)]
    assert leads(A0, CHANGED, Said("message", "cp_a", "", 5)) == [("a", "a", 0, 5), ("a", "a_1", 5, None), ("b", "a", 5, None)]
    assert leads(A0, CHANGED, Said("message", "cp_a", "", 4)) == [("a", "a", 0, 5), ("b", "a", 5, None)]
    assert leads(A0, CHANGED, Said("linked", "cp_a", "cp_c", 7))[1:] == [("a", "a_1", 5, None), ("b", "a", 5, None), ("c", "a_1", 7, None)]


def test_changing_back_is_still_one_lead() -> None:
    back = Said("number_changed", "cp_b", "cp_a", 8)
    assert leads(A0, CHANGED, back) == [("a", "a", 0, 5), ("a", "a", 5, None), ("b", "a", 5, 8)]
    assert leads(A0, CHANGED, back, Said("message", "cp_b", "", 9))[-1] == ("b", "b_1", 8, None)


def test_a_chain_of_changes_is_one_lead() -> None:
    chain = [CHANGED, Said("user_id_changed", "cp_b", "cp_c", 6), Said("number_changed", "cp_c", "cp_d", 7)]
    assert leads(A0, *chain) == [("a", "a", 0, 5), ("b", "a", 5, 6), ("c", "a", 6, 7), ("d", "a", 7, None)]


def test_a_link_at_the_instant_of_the_change_is_of_the_new_owner() -> None:
    found = leads(A0, CHANGED, Said("linked", "cp_a", "cp_c", 5))
    assert found == [("a", "a", 0, 5), ("a", "a_1", 5, None), ("b", "a", 5, None), ("c", "a_1", 5, None)]


def test_two_who_swap_numbers_stay_two() -> None:
    found = leads(A0, Said("message", "cp_b", "", 1), CHANGED, Said("number_changed", "cp_b", "cp_a", 5))
    assert found == [("a", "a", 0, 5), ("a", "b", 5, None), ("b", "b", 1, 5), ("b", "a", 5, None)]


def test_a_number_known_by_its_change_alone_was_somebodys_until_then() -> None:
    old, new = resolved([CHANGED])
    assert (old.valid_from, old.valid_to, old.lead_id) == (at(5) - timedelta(microseconds=1), at(5), "lead_a")
    assert (new.valid_from, new.valid_to, new.lead_id) == (at(5), None, "lead_a")
    recycled = resolved([CHANGED, Said("message", "cp_a", "", 5)])
    assert [(row.point_id, row.valid_from) for row in recycled] == [("cp_a", old.valid_from), ("cp_a", at(5)), ("cp_b", at(5))]


def test_tenants_do_not_share_leads() -> None:
    rows = resolved([A0, A0._replace(tenant="u"), Said("linked", "cp_a", "cp_b", 1, "u")])
    assert [(row.tenant_id, row.point_id) for row in rows] == [("t", "cp_a"), ("u", "cp_a"), ("u", "cp_b")]


def test_nothing_known_is_no_lead() -> None:
    assert resolve([], [], {}) == []
