"""`flexoraa identity`: what may be one person, what people decided on it, and how a lead came to be one.

Here belongs finding what an id means and refusing what makes no sense. Not here: the command line (`identity_cli`), the rules
(`core.identity*`), the journal (`orchestration.resources.identity`).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from assets.leads import suggest_leads
from core.identity import Edge, Resolution, resolve
from core.identity_evidence import Decision, Strengths, Verdict, pair_id
from core.identity_hints import Suggestion
from core.identity_holders import Holder, Holders, point_of
from orchestration.resources.clock import SystemClock
from orchestration.resources.identity import IdentityError, PostgresIdentity, Record, Wanted
from orchestration.resources.lake import FolderLake
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault

_LEAST_DIGITS = 4  # of an id that is shortened, after its underscore
_SHOWN = 5  # ids that a shortened one may mean
LONGEST_REASON = 2_000


class Who(NamedTuple):
    """Who decides, and why."""

    by: str
    reason: str


class _Ends(NamedTuple):
    """What a decision speaks of."""

    tenant_id: str
    link_id: str
    one_id: str
    other_id: str


@dataclass
class Desk:
    """Identity as of one moment, opened for questions and decisions."""

    state: State
    vault: Vault
    lake: FolderLake
    identity: PostgresIdentity
    as_of: datetime

    def __post_init__(self) -> None:
        """Resolve."""
        self._inputs = (list(self.lake.sightings(self.as_of)), list(self.lake.links(self.as_of)), self.vault.kinds())
        self._strengths = Strengths(self.identity.strengths())
        self.resolution = self._resolved(self.identity.decisions(self.as_of))

    def _resolved(self, decisions: Sequence[Decision]) -> Resolution:
        return resolve(*self._inputs, self._strengths, decisions)

    def suggestions(self, tenant_id: str | None = None) -> list[Suggestion]:
        """Open suggestions, best first."""
        self._check_tenant(tenant_id)
        found = suggest_leads(self.lake, self.vault, self.identity, self.as_of, self.resolution)
        return [each for each in found if tenant_id in {None, each.tenant_id}]

    def records(self, tenant_id: str | None = None) -> list[Record]:
        """All decisions with who and why, in their order."""
        self._check_tenant(tenant_id)
        return self.identity.records(self.as_of, tenant_id)

    def edges(self) -> dict[str, list[Edge]]:
        """All evidence by its link."""
        found: dict[str, list[Edge]] = {}
        for each in self.resolution.edges:
            found.setdefault(each.link_id, []).append(each)
        return found

    def accept(self, ids: Sequence[str], who: Who) -> dict[str, Any]:
        """Make two leads one: by a suggestion's or a revoked link's id, or by two points or leads."""
        ends = self._pair(*ids) if len(ids) == 2 else self._known(ids[0])
        stands = self.resolution.decisions.get(ends.link_id)
        if stands and stands.verdict == "accepted":
            raise IdentityError(f"{ends.link_id} was accepted already, {self._told(stands)}")
        if not (stands and stands.verdict == "revoked") and ends.link_id in {each.link_id for each in self.resolution.links}:
            raise IdentityError(f"{ends.link_id} joins already, by strong evidence: flexoraa identity show tells which")
        points = {point_of(ends.one_id), point_of(ends.other_id)}
        erased = sorted(points - self.vault.keys(ends.tenant_id, points).keys())
        if erased:
            raise IdentityError(f"{', '.join(erased)} was erased: whoever asked to be forgotten is joined with nobody")
        return self._decide(ends, "accepted", who)

    def revoke(self, link: str, who: Who) -> dict[str, Any]:
        """Take back a link, whether a person or evidence made it."""
        ends = self._known(link)
        stands = self.resolution.decisions.get(ends.link_id)
        if stands and stands.verdict == "revoked":
            raise IdentityError(f"{ends.link_id} was revoked already, {self._told(stands)}")
        if ends.link_id not in {each.link_id for each in self.resolution.links}:
            raise IdentityError(f"{ends.link_id} joins nobody, so there is nothing to revoke; flexoraa identity dismiss drops a suggestion")
        return self._decide(ends, "revoked", who)

    def dismiss(self, link: str, who: Who) -> dict[str, Any]:
        """Drop a suggestion: strong evidence may still join the two later."""
        ends = self._known(link)
        stands = self.resolution.decisions.get(ends.link_id)
        if stands and stands.verdict != "accepted":
            raise IdentityError(f"{ends.link_id} was {stands.verdict} already, {self._told(stands)}")
        if ends.link_id in {each.link_id for each in self.resolution.links}:
            raise IdentityError(f"{ends.link_id} joins two leads and is no suggestion: flexoraa identity revoke takes it back")
        return self._decide(ends, "dismissed", who)

    def lead(self, token: str) -> tuple[str, str, list[Holder]]:
        """Tenant, id and holders of the lead that a lead id, an alias or a point means."""
        found = self._holder(token)
        lead_id = self.resolution.lead_of(found)
        members = [each for each in self.resolution.holders.all if each.tenant_id == found.tenant_id]
        return found.tenant_id, lead_id, sorted((each for each in members if self.resolution.lead_of(each) == lead_id), key=_age)

    def _decide(self, ends: _Ends, verdict: Verdict, who: Who) -> dict[str, Any]:
        stands = self.resolution.decisions.get(ends.link_id)
        self._check_who(ends.tenant_id, who)
        if stands and stands.decided_at > self.as_of:
            raise IdentityError(f"{ends.link_id} was {stands.verdict} later than {self.as_of.isoformat()}: {self._told(stands)}")
        wanted = Wanted(*ends[:2], verdict, *ends[2:], self.as_of, *who, stands.number if stands else 0)
        self.identity.decide(wanted)
        self.resolution = self._resolved(self.identity.decisions(self.as_of))
        leads = sorted({self.resolution.lead_of(each) for each in self._holders_of(ends)})
        answer = {"link_id": ends.link_id, "tenant_id": ends.tenant_id, "verdict": verdict, "leads": leads}
        if verdict == "revoked" and len(leads) == 1:
            joined = [each.link_id for each in self.resolution.links if each.tenant_id == ends.tenant_id and each.lead_id == leads[0]]
            answer["still_joined_by"] = sorted(set(joined))
        return answer | {"decided_at": self.as_of.isoformat(), "decided_by": who.by}

    def _holders_of(self, ends: _Ends) -> Iterator[Holder]:
        """Both sides; of a change of number, whoever held the old point first and the new one last."""
        for end, place in ((ends.one_id, 0), (ends.other_id, -1)):
            named = self.resolution.holders.at(ends.tenant_id, end, self.as_of) if end.startswith("lead_") else None
            held = self.resolution.holders.of(ends.tenant_id, end)
            yield from [named] if named else held[place:][:1]

    def _check_tenant(self, tenant_id: str | None) -> None:
        known = self.identity.tenants()
        if tenant_id is not None and tenant_id not in known:
            raise IdentityError(f"there is no tenant {tenant_id!r}; there are {', '.join(sorted(known)) or 'none yet'}")

    def _check_who(self, tenant_id: str, who: Who) -> None:
        if not who.reason.strip() or len(who.reason) > LONGEST_REASON:
            raise IdentityError(f"a decision needs a reason of 1 to {LONGEST_REASON:,} characters (--reason)")
        people = self.identity.people(tenant_id, self.as_of)
        if who.by not in people:
            known = ", ".join(sorted(people)) or "none: add it to the tenants file"
            raise IdentityError(f"{tenant_id} has nobody with the id {who.by!r} at {self.as_of.isoformat()}; its people are {known}")
        if people[who.by] == "viewer":
            raise IdentityError(f"{who.by} is a viewer of {tenant_id} and may not decide: an operator, manager or admin may")

    def _told(self, decision: Decision) -> str:
        by = next((each.decided_by for each in self.identity.records(self.as_of) if each.decision.number == decision.number), "somebody")
        return f"by {by} at {decision.decided_at.isoformat()}"

    def _known(self, token: str) -> _Ends:
        """A link that evidence, a suggestion or a decision speaks of."""
        ends: dict[str, _Ends] = {}
        for each in self.resolution.edges:
            ends[each.link_id] = _Ends(each.one.tenant_id, each.link_id, each.one.own_id, each.other.own_id)
        for link_id, change in self.resolution.changes.items():
            ends[link_id] = _Ends(change.tenant_id, link_id, change.point_id, change.other_point_id)
        for decision in self.resolution.decisions.values():
            ends.setdefault(decision.link_id, _Ends(decision.tenant_id, decision.link_id, decision.one_id, decision.other_id))
        if token not in ends:  # only then: suggestions open every name
            for suggestion in self.suggestions():
                ends[suggestion.link_id] = _Ends(suggestion.tenant_id, suggestion.link_id, suggestion.one.own_id, suggestion.other.own_id)
        return ends[_meant(token, ends, "link or suggestion", "flexoraa identity list --all and suggest show them")]

    def _pair(self, one: str, other: str) -> _Ends:
        left, right = self._holder(one), self._holder(other)
        if left.tenant_id != right.tenant_id:
            raise IdentityError(f"{one} is of tenant {left.tenant_id} and {other} of {right.tenant_id}: no lead has two tenants")
        if left == right:
            raise IdentityError(f"{one} and {other} are the same: {left.own_id}")
        lead_id = self.resolution.lead_of(left)
        if lead_id == self.resolution.lead_of(right):
            raise IdentityError(f"{one} and {other} are one lead already: {lead_id}")
        return _Ends(left.tenant_id, pair_id(left.tenant_id, left.own_id, right.own_id), *sorted((left.own_id, right.own_id)))

    def _holder(self, token: str) -> Holder:
        holders = self.resolution.holders
        named = {each.own_id: each for each in holders.all} | {each.point_id: each for each in holders.all}
        meant = named[_meant(token, named, "lead or contact point", 'flexoraa sql "select * from marts.dim_contact_points" shows them')]
        if not token.startswith("cp_"):
            return meant
        now = holders.at(meant.tenant_id, meant.point_id, self.as_of)
        if now is None:
            gone = _listed(holders, meant)
            raise IdentityError(f"nobody holds {meant.point_id} at {self.as_of.isoformat()}; name whom you mean: {gone}")
        return now


@contextmanager
def open_desk(settings: Settings, as_of: datetime | None, *, is_deciding: bool = False) -> Iterator[Desk]:
    """The desk at a moment; else now, and for decisions never before what was published: that cannot be decided afterwards."""
    with open_state(settings) as state:
        published = _published(state) if is_deciding else None
        if as_of is not None and published is not None and as_of < published:
            message = (
                f"the marts were published as of {published.isoformat()}: a decision cannot be dated before that ({as_of.isoformat()})"
            )
            raise IdentityError(message)
        moment = as_of or max(filter(None, (SystemClock().now(), published)))
        vault, lake = Vault(state, settings.master_key()), FolderLake(settings.lake)
        lake.prepare()
        yield Desk(state, vault, lake, PostgresIdentity(state, vault), moment)


def _published(state: State) -> datetime | None:
    with state.psycopg() as connection:
        row = connection.execute("select max(as_of) from ops.publications").fetchone()
    return row[0] if row else None


def _meant(token: str, known: Iterable[str], what: str, hint: str) -> str:
    """The known id that a token is, or the only one that it begins."""
    ids = set(known)
    if token in ids:
        return token
    begun = sorted(each for each in ids if each.startswith(token)) if len(token.partition("_")[2]) >= _LEAST_DIGITS else []
    if len(begun) == 1:
        return begun[0]
    if begun:
        shown = ", ".join(begun[:_SHOWN]) + (" …" if len(begun) > _SHOWN else "")
        raise IdentityError(f"{token!r} may be {len(begun)} of them: {shown}")
    raise IdentityError(f"there is no {what} {token!r}; {hint}")


def _listed(holders: Holders, meant: Holder) -> str:
    return ", ".join(f"{each.own_id} (until {each.valid_to})" for each in holders.of(meant.tenant_id, meant.point_id))


def _age(holder: Holder) -> tuple[datetime, str]:
    return holder.age
