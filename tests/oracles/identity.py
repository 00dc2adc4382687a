"""Identity, told minute by minute: who holds which number, and which holders are one lead (components by networkx).

The histories that it reads are lists of `Said`; what a program of decisions adds are `Decided`. It shares no code with `core.identity*`.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import networkx as nx

START = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
CHANGES = ("number_changed", "user_id_changed")


def at(minute: int) -> datetime:
    """So many minutes after the start."""
    return START + timedelta(minutes=minute)


class Said(NamedTuple):
    """One thing that was said: a message on a point, another sign of it (a payment), or evidence on two points."""

    kind: str
    point: str
    other: str
    minute: int
    tenant: str = "t"


class Decided(NamedTuple):
    """What a person decided: on two holders by their own names, or on a change that was said."""

    verdict: str
    about: tuple[str, str] | Said
    minute: int
    tenant: str = "t"


class _Holder:
    """Somebody's time with a point."""

    def __init__(self, point: str, start: datetime, *, is_first: bool) -> None:
        self.point, self.start = point, start
        self.name = f"lead_{point[3:]}" + ("" if is_first else f"_{(start - EPOCH) // MICRO}")
        self.end: datetime | None = None
        self.is_used = False


def leads(history: Iterable[Said], decided: Iterable[Decided] = ()) -> set[tuple[Any, ...]]:
    """(tenant, point, from, to, lead) of all tenants."""
    said, words = list(history), list(decided)
    tenants = {each.tenant for each in said}
    return {
        (tenant, *row)
        for tenant in tenants
        for row in _of_tenant([each for each in said if each.tenant == tenant], [each for each in words if each.tenant == tenant])
    }


def _of_tenant(said: list[Said], words: list[Decided]) -> set[tuple[Any, ...]]:
    last = {(tuple(sorted(word.about)) if not isinstance(word.about, Said) else word.about): word.verdict for word in words}
    gone = {about for about, verdict in last.items() if verdict == "revoked"}
    said = [each for each in said if each not in gone or each.kind not in CHANGES] + [
        Said("payment", each.other, "", each.minute) for each in said if each in gone and each.kind in CHANGES
    ]
    holders, joined = _walk(said)
    people = nx.Graph()
    people.add_nodes_from(each.name for each in holders)
    people.add_edges_from(
        (one.name, other.name) for one, other, is_change in joined if is_change or tuple(sorted((one.name, other.name))) not in gone
    )
    people.add_edges_from(
        pair for pair, verdict in last.items() if verdict == "accepted" and len(pair) == 2 and all(name in people for name in pair)
    )
    by_name = {each.name: each for each in holders}
    rows = set()
    for component in nx.connected_components(people):
        members = [by_name[name] for name in component]
        oldest = min(members, key=lambda each: (each.start, each.point))
        rows |= {(each.point, each.start, each.end, oldest.name) for each in members}
    return rows


def _walk(said: list[Said]) -> tuple[list[_Holder], list[tuple[_Holder, _Holder, bool]]]:
    holders: list[_Holder] = []
    current: dict[str, _Holder] = {}
    ended: dict[str, list[_Holder]] = defaultdict(list)
    left: dict[str, tuple[int, set[str]]] = {}
    used: dict[str, bool] = defaultdict(bool)  # since it was last left
    joined: list[tuple[_Holder, _Holder, bool]] = []

    def holder(point: str, moment: datetime) -> _Holder:
        if point not in current:
            start = ended[point][-1].end if ended[point] else moment
            assert start is not None
            current[point] = _Holder(point, start, is_first=not ended[point])
            holders.append(current[point])
        return current[point]

    def end(point: str, minute: int) -> None:
        leaver = holder(point, at(minute) - MICRO)
        if leaver.end is None:
            leaver.end = at(minute)
            ended[point].append(current.pop(point))

    for minute in sorted({each.minute for each in said}):
        now = {each for each in said if each.minute == minute}
        told = [each for each in now if each.kind in CHANGES and each.point != each.other]
        changes = [each for each in told if not (each.point in left and each.other in left[each.point][1] and not used[each.point])]
        taken = {each.other for each in changes if each.kind == "number_changed" and used[each.other]}
        for point in {each.point for each in changes} | taken:
            end(point, minute)
        for point in {each.point for each in changes}:
            left[point] = (minute, {each.other for each in changes if each.point == point})
            used[point] = False
        for each in changes:
            joined.append((ended[each.point][-1], holder(each.other, at(minute)), True))
            used[each.other] = True
        for each in now:
            if each.kind == "linked":
                if each.point != each.other:
                    joined.append((holder(each.point, at(minute)), holder(each.other, at(minute)), False))
                holder(each.point, at(minute))
                used[each.point] = used[each.other] = True
            elif each.kind == "message":
                holder(each.point, at(minute))
                used[each.point] = True
            elif each.kind == "payment" and not ended[each.point]:
                holder(each.point, at(minute))
    return holders, joined
