"""Who is meant when a request names a person, and which contact points are his: by what the last run resolved.

Here belongs that look-up, over the reference files and the vault, without an event being read. Not here: resolving (`assets.leads`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.events import Point, PointKind, Reject
from core.points import normalise
from core.privacy import PrivacyError, Request
from orchestration.resources.vault import Vault

_LEAST = 4  # characters of an id that is shortened, after its underscore
_SHOWN = 5


class Stretch(NamedTuple):
    """One lead's time with a point."""

    tenant_id: str
    point_id: str
    lead_id: str
    valid_from: datetime
    valid_to: datetime | None


class Person(NamedTuple):
    """A lead with its points; `handed_on` were its once and are another lead's now, with the moment at which they ceased to be its."""

    tenant_id: str
    lead_id: str
    point_ids: tuple[str, ...]
    handed_on: tuple[tuple[str, datetime], ...]


class Persons:
    """All leads of all tenants as the last run saw them."""

    def __init__(self, stretches: Iterable[Stretch], aliases: Iterable[tuple[str, str, str]], vault: Vault) -> None:
        """`aliases`: tenant, old lead id, lead id."""
        self._vault = vault
        self._of_lead: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._of_point: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
        for each in stretches:
            self._of_lead[each.tenant_id, each.lead_id].add(each.point_id)
            self._of_point[each.tenant_id, each.point_id].append(each)
        for held in self._of_point.values():
            held.sort(key=lambda each: each.valid_from)
        self._aliases = {(tenant, old): lead for tenant, old, lead in aliases}

    @classmethod
    def read(cls, reference: Path, vault: Vault, leads: Collection[str] | None = None) -> "Persons":
        """From the files of the last run; with `leads`, by id or old id, those alone and whoever else held their points.

        Raises:
            PrivacyError: nothing was ever run here.
        """
        points, aliases = reference / "lead_points.parquet", reference / "lead_aliases.parquet"
        if not points.exists():
            raise PrivacyError("no_run", "nothing was taken in here yet, so nobody is known: flexoraa run")
        rows = pq.read_table(points, columns=list(Stretch._fields))
        old = pq.read_table(aliases, columns=["tenant_id", "alias_id", "lead_id"])
        if leads is not None:  # 171,000 leads as objects take a second, these few milliseconds
            old = old.filter(pc.is_in(old["alias_id"], pa.array(sorted(leads), pa.string())))
            meant = pa.array(sorted({*leads, *old["lead_id"].to_pylist()}), pa.string())
            theirs = rows.filter(pc.is_in(rows["lead_id"], meant))["point_id"].combine_chunks()
            rows = rows.filter(pc.is_in(rows["point_id"], theirs))
        stretches = map(Stretch._make, zip(*rows.to_pydict().values(), strict=True))
        return cls(stretches, zip(*old.to_pydict().values(), strict=True), vault)

    def lead(self, tenant_id: str, lead_id: str) -> Person:
        """A lead by its id, or by an old id of it.

        Raises:
            PrivacyError: there is none.
        """
        lead_id = self._aliases.get((tenant_id, lead_id), lead_id)
        points = self._of_lead.get((tenant_id, lead_id))
        if not points:
            raise PrivacyError("unknown_person", f"{tenant_id} has no lead {lead_id!r} as of the last run")
        own, handed_on = [], []
        for point_id in sorted(points):
            last = self._of_point[tenant_id, point_id][-1]
            if last.lead_id == lead_id:
                own.append(point_id)
            else:
                end = max(each.valid_to for each in self._of_point[tenant_id, point_id] if each.lead_id == lead_id and each.valid_to)
                handed_on.append((point_id, end))
        return Person(tenant_id, lead_id, tuple(own), tuple(handed_on))

    def approved(self, request: Request) -> Person:
        """The person that a request was approved for, whatever links say now, with the numbers that it handed on."""
        try:
            handed_on = self.lead(request.tenant_id, request.lead_id).handed_on
        except PrivacyError:
            handed_on = ()
        return Person(request.tenant_id, request.lead_id, request.point_ids, handed_on)

    def find(self, tenant_id: str, token: str, region: str) -> Person:
        """The person that a lead's or a point's id, maybe shortened, or a number or address means.

        Raises:
            PrivacyError: nobody, or several.
        """
        token = token.strip()
        if token.startswith(("lead_", "cp_")):
            return self._by_id(tenant_id, token)
        points = self._vault.known(tenant_id, set(_readings(token, region)))
        leads = {each.lead_id for point_id in points.values() for each in self._of_point.get((tenant_id, point_id), ())[-1:]}
        if not leads:
            raise PrivacyError("unknown_person", f"{tenant_id} knows nobody by what was given, as of the last run; nothing was noted of it")
        if len(leads) > 1:
            raise PrivacyError("ambiguous_person", f"what was given is of {len(leads)} leads: {', '.join(sorted(leads))}; name one of them")
        return self.lead(tenant_id, leads.pop())

    def of_point(self, tenant_id: str, point_id: str) -> Person | None:
        """Whoever holds a point now."""
        held = self._of_point.get((tenant_id, point_id))
        return self.lead(tenant_id, held[-1].lead_id) if held else None

    def _by_id(self, tenant_id: str, token: str) -> Person:
        known: dict[str, str] = {lead: lead for tenant, lead in self._of_lead if tenant == tenant_id}
        known |= {old: lead for (tenant, old), lead in self._aliases.items() if tenant == tenant_id}
        known |= {point: held[-1].lead_id for (tenant, point), held in self._of_point.items() if tenant == tenant_id}
        meant = [token] if token in known else sorted(each for each in known if each.startswith(token))
        if len(token.partition("_")[2]) < _LEAST:
            meant = []
        leads = {known[each] for each in meant}
        if len(leads) == 1:
            return self.lead(tenant_id, leads.pop())
        if leads:
            shown = ", ".join(meant[:_SHOWN]) + (" …" if len(meant) > _SHOWN else "")
            raise PrivacyError("ambiguous_person", f"{token!r} may be {len(meant)} of them: {shown}")
        raise PrivacyError("unknown_person", f"{tenant_id} has no lead or contact point {token!r} as of the last run")


def _readings(token: str, region: str) -> Collection[Point]:
    """What a text may be as a contact point, of every kind."""
    read = [normalise(Point(kind, token), region) for kind in get_args(PointKind)]
    return [each for each in read if not isinstance(each, Reject)]
