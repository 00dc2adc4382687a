"""Which contact points are one lead, and since when.

A lead is a connected component of links between holders of points. Strong evidence links unless a person revoked it; weak evidence only
where a person accepted it. Not here: who held a point when (`core.identity_holders`), what evidence is worth (`core.identity_evidence`),
weak evidence from names (`core.identity_hints`).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from core.identity_evidence import Decision, Strengths, change_id, pair_id, standing
from core.identity_holders import CHANGES, Holder, Holders, Link, Sighting
from core.reference import LeadAlias, LeadLink, LeadPoint

PAYER_KINDS = frozenset({"razorpay_contact"})
"""Kinds of points that name who paid; nobody can be written to there."""

TAKEN_OVER = "number_taken_over"
"""Weak evidence: somebody changed to a number that another lead was using; both may be one person with two numbers."""


class Edge(NamedTuple):
    """One piece of evidence between two holders. `kind` is `accepted` where a person's word is all there is."""

    link_id: str
    one: Holder
    other: Holder
    kind: str
    source: str
    strength: str
    score: float
    occurred_at: datetime


class Resolution:
    """Every lead, with what made it one."""

    def __init__(
        self,
        holders: Holders,
        edges: list[Edge],
        changes: Mapping[str, Link],
        kinds: Mapping[str, str],
        decisions: Mapping[str, Decision],
    ) -> None:
        """Take the holders, all evidence between them, every change by its link, the points' kinds, and the decision on each link."""
        self.holders = holders
        self.decisions = decisions
        self.changes = changes
        self.edges = edges
        self._kinds = kinds
        joining = [each for each in edges if _is_joining(each, decisions)]
        self._joining = joining
        oldest = _oldest_of_component(holders.all, [(each.one, each.other) for each in joining])
        self._lead_of = {(holder.tenant_id, holder.own_id): lead.own_id for holder, lead in zip(holders.all, oldest, strict=True)}
        reachable = {lead for holder, lead in zip(holders.all, oldest, strict=True) if kinds[holder.point_id] not in PAYER_KINDS}
        self._reachable = {(lead.tenant_id, lead.own_id) for lead in reachable}

    def lead_of(self, holder: Holder) -> str:
        """The id of the lead that a holder is part of."""
        return self._lead_of[holder.tenant_id, holder.own_id]

    def is_lead(self, holder: Holder) -> bool:
        """Whether a holder is part of a lead; somebody known only as a payer is not."""
        return (holder.tenant_id, self.lead_of(holder)) in self._reachable

    @property
    def points(self) -> list[LeadPoint]:
        """Every point with the lead that holds it, ordered by tenant, point and time."""
        rows = [
            LeadPoint(
                tenant_id=holder.tenant_id,
                valid_from=holder.valid_from,
                valid_to=holder.valid_to,
                point_id=holder.point_id,
                lead_id=self.lead_of(holder),
                kind=self._kinds[holder.point_id],
            )
            for holder in self.holders.all
            if self.is_lead(holder)
        ]
        return sorted(rows, key=lambda row: (row.tenant_id, row.point_id, row.valid_from))

    @property
    def aliases(self) -> list[LeadAlias]:
        """Every id that some of a lead's holders had or would have alone, ordered by tenant and alias."""
        rows = [
            LeadAlias(tenant_id=holder.tenant_id, alias_id=holder.own_id, lead_id=self.lead_of(holder))
            for holder in self.holders.all
            if self.is_lead(holder) and self.lead_of(holder) != holder.own_id
        ]
        return sorted(rows, key=lambda row: (row.tenant_id, row.alias_id))

    @property
    def links(self) -> list[LeadLink]:
        """The evidence that joins, one row for each link, kind and source, ordered by them."""
        found: dict[tuple[str, str, str, str], list[Edge]] = {}
        for each in self._joining:
            if self.is_lead(each.one):
                found.setdefault((each.one.tenant_id, each.link_id, each.kind, each.source), []).append(each)
        return [
            LeadLink(
                tenant_id=tenant_id,
                link_id=link_id,
                lead_id=self.lead_of(edges[0].one),
                one_id=edges[0].one.own_id,
                other_id=edges[0].other.own_id,
                kind=kind,
                source=source,
                strength=edges[0].strength,
                evidence_count=len(edges),
                first_at=min(each.occurred_at for each in edges),
                last_at=max(each.occurred_at for each in edges),
            )
            for (tenant_id, link_id, kind, source), edges in sorted(found.items())
        ]


def resolve(
    sightings: Iterable[Sighting],
    links: Iterable[Link],
    kinds: Mapping[str, str],
    strengths: Strengths,
    decisions: Iterable[Decision] = (),
) -> Resolution:
    """The leads of all tenants, the same in whatever order and however often evidence arrives.

    Args:
        sightings: every point that was seen, each once.
        links: all evidence; what a person revoked counts as if it were weak.
        kinds: what each point id is (phone, e-mail …).
        strengths: what evidence is worth at its time.
        decisions: what people decided up to the moment of the build.
    """
    stands = standing(decisions)
    evidence = sorted(set(links))
    changes = {change_id(link): link for link in evidence if link.kind in CHANGES}
    others = [link for link in evidence if link.kind not in CHANGES]
    holders = Holders(sightings, [change for link_id, change in changes.items() if _is_counting(change, stands.get(link_id), strengths)])
    edges = [*_of_changes(holders, strengths), *_of_pairs(holders, others, strengths), *_of_people(holders, stands.values())]
    edges.sort(key=lambda each: (each.one.tenant_id, each.link_id, each.kind, each.source, each.occurred_at))
    return Resolution(holders, edges, changes, kinds, stands)


def _is_counting(change: Link, decided: Decision | None, strengths: Strengths) -> bool:
    if decided is not None and decided.verdict != "dismissed":
        return decided.verdict == "accepted"
    return strengths.of(change.kind, change.source, change.occurred_at).strength == "strong"


def _of_changes(holders: Holders, strengths: Strengths) -> Iterable[Edge]:
    for change in holders.changes:
        tenant_id, moment = change.tenant_id, change.occurred_at
        old, new = holders.until(tenant_id, change.point_id, moment), holders.at(tenant_id, change.other_point_id, moment)
        if old and new:
            # counted already: even where its kind is weak, a person accepted it
            yield Edge(change_id(change), old, new, change.kind, change.source, "strong", 1.0, moment)
    for change in holders.taken_over:
        old, new = (holders.until(change.tenant_id, each, change.occurred_at) for each in (change.other_point_id, change.point_id))
        if old and new and old != new:
            rule = strengths.of(TAKEN_OVER, change.source, change.occurred_at)
            yield _pair(old, new, TAKEN_OVER, change.source, rule.strength, rule.score, change.occurred_at)


def _of_pairs(holders: Holders, links: Iterable[Link], strengths: Strengths) -> Iterable[Edge]:
    for link in links:
        one, other = (holders.at(link.tenant_id, each, link.occurred_at) for each in (link.point_id, link.other_point_id))
        if one and other and one != other:
            rule = strengths.of(link.kind, link.source, link.occurred_at)
            yield _pair(one, other, link.kind, link.source, rule.strength, rule.score, link.occurred_at)


def _of_people(holders: Holders, decisions: Iterable[Decision]) -> Iterable[Edge]:
    for each in decisions:
        one, other = (holders.at(each.tenant_id, own_id, each.decided_at) for own_id in (each.one_id, each.other_id))
        if each.verdict == "accepted" and one and other and one != other and each.link_id == pair_id(each.tenant_id, *_ids(one, other)):
            yield _pair(one, other, "accepted", "person", "accepted", 1.0, each.decided_at)


def _ids(one: Holder, other: Holder) -> tuple[str, str]:
    return one.own_id, other.own_id


def _pair(one: Holder, other: Holder, kind: str, source: str, strength: str, score: float, moment: datetime) -> Edge:
    first, second = sorted((one, other), key=lambda holder: holder.own_id)
    return Edge(pair_id(one.tenant_id, *_ids(one, other)), first, second, kind, source, strength, score, moment)


def _is_joining(edge: Edge, decisions: Mapping[str, Decision]) -> bool:
    if edge.kind in CHANGES or edge.strength == "accepted":
        return True
    decided = decisions.get(edge.link_id)
    return edge.strength == "strong" and (decided is None or decided.verdict != "revoked")


def _oldest_of_component(holders: list[Holder], edges: list[tuple[Holder, Holder]]) -> list[Holder]:
    if not holders:
        return []
    import numpy as np  # here: these two cost 1.1 s of every process that only names this module's types
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {holder: number for number, holder in enumerate(holders)}
    left, right = np.array([(place[one], place[other]) for one, other in edges], dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (left, right)), shape=(len(holders), len(holders)))
    _, labels = connected_components(graph, directed=False)
    oldest: dict[int, Holder] = {}
    for holder, label in zip(holders, labels, strict=True):
        known = oldest.get(label)
        if known is None or holder.age < known.age:
            oldest[label] = holder
    return [oldest[label] for label in labels]
