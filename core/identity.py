"""Which contact points are one lead, and since when.

A lead is a connected component of evidence links. A point whose number changed is closed at that moment; what is seen on it later is a new
owner: a new generation of the point, and a new lead. Not here: where evidence comes from, weak links (a later issue).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from core.reference import LeadPoint

CHANGES = ("number_changed", "user_id_changed")
"""Kinds of evidence that close the old point."""

_INSTANT = timedelta(microseconds=1)
"""The shortest range: an empty one would share its key (point, `valid_from`) with the next owner's."""

PAYER_KINDS = frozenset({"razorpay_contact"})
"""Kinds of points that name who paid; nobody can be written to there."""


class Sighting(NamedTuple):
    """A point, the first moment at which any event names it, and the last message on it (None: never one)."""

    tenant_id: str
    point_id: str
    first_seen_at: datetime
    last_message_at: datetime | None


class Link(NamedTuple):
    """One evidence that two points are one person. For a change, `point_id` is the old point and `other_point_id` the new one."""

    tenant_id: str
    kind: str
    point_id: str
    other_point_id: str
    occurred_at: datetime


class _Node(NamedTuple):
    """One owner's time with a point, half-open."""

    tenant_id: str
    point_id: str
    generation: int
    valid_from: datetime
    valid_to: datetime | None

    @property
    def age(self) -> tuple[datetime, str, int]:
        """What makes a node the oldest of its component; a total order."""
        return self.valid_from, self.point_id, self.generation

    @property
    def lead_id(self) -> str:
        suffix = f"_{self.generation}" if self.generation else ""
        return f"lead_{self.point_id.removeprefix('cp_')}{suffix}"


def resolve(sightings: Iterable[Sighting], links: Iterable[Link], kinds: Mapping[str, str]) -> list[LeadPoint]:
    """Every point with the lead that holds it, ordered by tenant, point and time.

    `kinds` says what each point id is (phone, e-mail …). The lead's id is that of its oldest point (then the least id), so it is the same
    in whatever order evidence arrives. Somebody known only as a payer is nobody's lead: no row until evidence links him to one.
    """
    evidence = list(links)
    nodes = _nodes(sightings, evidence)
    index = {(node.tenant_id, node.point_id, node.generation): number for number, node in enumerate(nodes)}
    generations: dict[tuple[str, str], list[_Node]] = defaultdict(list)
    for node in nodes:
        generations[node.tenant_id, node.point_id].append(node)
    edges = [
        (index[left[:3]], index[right[:3]])
        for link in evidence
        if (left := _held_before(generations[link.tenant_id, link.point_id], link))
        and (right := _held_at(generations[link.tenant_id, link.other_point_id], link.occurred_at))
    ]
    leads = _oldest_of_component(nodes, edges)
    reachable = {lead for node, lead in zip(nodes, leads, strict=True) if kinds[node.point_id] not in PAYER_KINDS}
    rows = [
        LeadPoint(
            tenant_id=node.tenant_id,
            valid_from=node.valid_from,
            valid_to=node.valid_to,
            point_id=node.point_id,
            lead_id=lead.lead_id,
            kind=kinds[node.point_id],
        )
        for node, lead in zip(nodes, leads, strict=True)
        if lead in reachable
    ]
    return sorted(rows, key=lambda row: (row.tenant_id, row.point_id, row.valid_from))


def _nodes(sightings: Iterable[Sighting], evidence: list[Link]) -> list[_Node]:
    closings: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    named: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for link in evidence:
        named[link.tenant_id, link.other_point_id].append(link.occurred_at)
        if link.kind in CHANGES:
            closings[link.tenant_id, link.point_id].add(link.occurred_at)
        else:  # a sign of life of both
            named[link.tenant_id, link.point_id].append(link.occurred_at)
    seen = {(each.tenant_id, each.point_id): each for each in sightings}
    for key, moments in closings.items():  # a point that only its change names was still somebody's until then
        if key not in seen:
            seen[key] = Sighting(*key, min(moments), None)
    nodes: list[_Node] = []
    for key, sighting in seen.items():
        ends = sorted(closings[key])
        last = max([each for each in (sighting.last_message_at, *named[key]) if each is not None], default=None)
        start = sighting.first_seen_at
        if ends and start >= ends[0]:  # known by its change alone: who left it held it until then, if only for an instant that we know of
            start = ends[0] - _INSTANT
        for generation, end in enumerate(ends):
            nodes.append(_Node(*key, generation, start, end))
            start = end
        if not ends or (last is not None and last >= start):
            nodes.append(_Node(*key, len(ends), start, None))
    return nodes


def _held_at(nodes: list[_Node], moment: datetime) -> _Node | None:
    for node in nodes:
        if node.valid_to is None or moment < node.valid_to:
            return node
    return None


def _held_before(nodes: list[_Node], link: Link) -> _Node | None:
    if link.kind not in CHANGES:
        return _held_at(nodes, link.occurred_at)
    return next((node for node in nodes if node.valid_to == link.occurred_at), None)


def _oldest_of_component(nodes: list[_Node], edges: list[tuple[int, int]]) -> list[_Node]:
    if not nodes:
        return []
    import numpy as np  # here: these two cost 1.1 s of every process that only names this module's types
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (left, right)), shape=(len(nodes), len(nodes)))
    _, labels = connected_components(graph, directed=False)
    oldest: dict[int, _Node] = {}
    for node, label in zip(nodes, labels, strict=True):
        known = oldest.get(label)
        if known is None or node.age < known.age:
            oldest[label] = node
    return [oldest[label] for label in labels]
