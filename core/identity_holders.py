"""Who held a contact point, and when: one holder after another, told apart by changes of number and of user id.

Here belongs which changes count (a repeat of what is known does not) and the stretches of time between them. Not here: which holders are
one lead (`core.identity`).
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

CHANGES = ("number_changed", "user_id_changed")
"""Kinds of evidence that close the old point."""

_RECYCLED = "number_changed"
"""The kind whose new point may have been another person's before; a user id is never given to a second person."""

_INSTANT = timedelta(microseconds=1)
"""The shortest range: an empty one would share its key (point, `valid_from`) with the next holder's."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]
"""Tenant and point."""


class Sighting(NamedTuple):
    """A point and the first moment at which any event names it.

    `signs` are all moments at which it was in use (a message, a link); they are needed only of points that a change names.
    """

    tenant_id: str
    point_id: str
    first_seen_at: datetime
    signs: tuple[datetime, ...] = ()


class Link(NamedTuple):
    """One evidence that two points are one person. For a change, `point_id` is the old point and `other_point_id` the new one.

    In the place of a point a lead id may stand (`lead_…`): the holder that bears it.
    """

    tenant_id: str
    kind: str
    point_id: str
    other_point_id: str
    occurred_at: datetime
    source: str = ""


class Holder(NamedTuple):
    """One person's time with a point, half-open; `is_first`: nobody is known to have held it before."""

    tenant_id: str
    point_id: str
    valid_from: datetime
    valid_to: datetime | None
    is_first: bool

    @property
    def age(self) -> tuple[datetime, str]:
        """What makes a holder the oldest of its lead; a total order within a tenant."""
        return self.valid_from, self.point_id

    @property
    def own_id(self) -> str:
        """The lead id that it has alone: its point's and, for a later holder, its first microsecond, so no late news moves it."""
        suffix = "" if self.is_first else f"_{(self.valid_from - _EPOCH) // _INSTANT}"
        return f"lead_{self.point_id.removeprefix('cp_')}{suffix}"


def point_of(own_id: str) -> str:
    """The point of a holder, by the lead id that it has alone; a point stays itself.

    >>> point_of("lead_a_1767225600000000"), point_of("lead_a"), point_of("cp_a")
    ('cp_a', 'cp_a', 'cp_a')
    """
    return own_id if own_id.startswith("cp_") else "cp_" + own_id.removeprefix("lead_").partition("_")[0]


class Holders:
    """Every holder of every point."""

    def __init__(self, sightings: Iterable[Sighting], changes: Iterable[Link]) -> None:
        """Take what was seen and the changes that count as evidence, in any order."""
        seen = {(each.tenant_id, each.point_id): each for each in sightings}
        signs: dict[Key, list[datetime]] = defaultdict(list, {key: sorted(set(each.signs)) for key, each in seen.items()})
        self.changes = _without_repeats(changes, signs)
        self.taken_over: list[Link] = []
        """Changes to a number that somebody else was using: he gave it up, unless both are one person."""
        ends: dict[Key, set[datetime]] = defaultdict(set)
        for each in self.changes:
            ends[each.tenant_id, each.point_id].add(each.occurred_at)
        for each in self.changes:
            key = (each.tenant_id, each.other_point_id)
            if each.kind == _RECYCLED and _is_used_before(signs[key], ends[key], each.occurred_at):
                self.taken_over.append(each)
        for each in self.taken_over:
            ends[each.tenant_id, each.other_point_id].add(each.occurred_at)
        self._of: dict[Key, list[Holder]] = {}
        for key in seen.keys() | ends.keys() | {(each.tenant_id, each.other_point_id) for each in self.changes}:
            self._of[key] = _stretches(key, seen.get(key), signs.get(key, []), sorted(ends.get(key, ())))
        self.all = [holder for holders in self._of.values() for holder in holders]
        self._named = {(holder.tenant_id, holder.own_id): holder for holder in self.all}

    def at(self, tenant_id: str, point_id: str, moment: datetime) -> Holder | None:
        """Whose a point is at a moment; before its first sighting it was the first holder's already. A lead id names its holder."""
        if point_id.startswith("lead_"):
            return self._named.get((tenant_id, point_id))
        return next((each for each in self._of.get((tenant_id, point_id), ()) if each.valid_to is None or moment < each.valid_to), None)

    def until(self, tenant_id: str, point_id: str, moment: datetime) -> Holder | None:
        """Whose time with a point ended at just that moment."""
        return next((each for each in self._of.get((tenant_id, point_id), ()) if each.valid_to == moment), None)

    def of(self, tenant_id: str, point_id: str) -> list[Holder]:
        """All holders of a point, one after another."""
        return self._of.get((tenant_id, point_id), [])


def _without_repeats(changes: Iterable[Link], signs: dict[Key, list[datetime]]) -> list[Link]:
    """The changes that tell something new, by time; each adds a sign of life of its new point.

    Vendors tell one change more than once, at different times. It is a repeat where the last known change led from the same old point to
    the same new one, and the old point was not in use since: then nobody was there who could have left it again.
    """
    counting: list[Link] = []
    left: dict[Key, tuple[datetime, set[str]]] = {}
    in_time = sorted(set(changes), key=lambda link: (link.occurred_at, *link))
    for moment, told in groupby(in_time, key=lambda link: link.occurred_at):
        new = [each for each in told if each.point_id != each.other_point_id and not _is_repeat(each, left, signs)]
        for each in new:
            old = (each.tenant_id, each.point_id)
            left_at, targets = left.get(old, (None, set()))
            left[old] = (moment, {each.other_point_id} | (targets if left_at == moment else set()))
            insort(signs[each.tenant_id, each.other_point_id], moment)
        counting += new
    return counting


def _is_repeat(change: Link, left: dict[Key, tuple[datetime, set[str]]], signs: dict[Key, list[datetime]]) -> bool:
    old = (change.tenant_id, change.point_id)
    if old not in left or change.other_point_id not in left[old][1]:
        return False
    return not _any_in(signs[old], left[old][0], change.occurred_at)


def _any_in(moments: list[datetime], start: datetime, end: datetime) -> bool:
    """Whether a moment lies in [start, end); `moments` sorted."""
    place = bisect_left(moments, start)
    return place < len(moments) and moments[place] < end


def _is_used_before(signs: list[datetime], ends: set[datetime], moment: datetime) -> bool:
    """Whether anybody used the point before the moment and since it was last given up."""
    given_up = max((end for end in ends if end < moment), default=_EPOCH)
    return _any_in(signs, given_up, moment)


def _stretches(key: Key, sighting: Sighting | None, signs: list[datetime], ends: list[datetime]) -> list[Holder]:
    known = signs[:1] + ([sighting.first_seen_at] if sighting else [])
    start = min(known, default=None)
    if ends and (start is None or start >= ends[0]):  # known by its change alone: who left it held it until then, if only for an instant
        start = ends[0] - _INSTANT
    if start is None:
        return []
    holders: list[Holder] = []
    for end in ends:
        holders.append(Holder(*key, start, end, not holders))
        start = end
    if not ends or (signs and signs[-1] >= start):
        holders.append(Holder(*key, start, None, not holders))
    return holders
