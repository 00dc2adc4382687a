"""Whose a lead is, by walking the matters of a tenant in time and giving each to the least burdened, one lead after the other.

Here belongs the choice of a person. Not here: which matters there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tests.oracles.hours import Span

Matter = tuple[str, str, str, str, datetime]
"""Tenant, lead, rule, trigger, raised."""

ANSWERS = ("assigned", "won", "lost", "opted_out")


class Office(NamedTuple):
    """Who works when, and what was done: of each lead (kind, person, when) in order, and of each person when anything named them."""

    people: Sequence[Any]
    calendars: Mapping[tuple[str, str], Sequence[Span]]
    done: Mapping[tuple[str, str], Sequence[tuple[str, str | None, datetime]]]
    named: Mapping[tuple[str, str], Sequence[datetime]]
    lifetimes: Mapping[str, timedelta]


def routings(matters: Iterable[Matter], office: Office) -> dict[tuple[str, str, str], tuple[str | None, bool, datetime | None]]:
    """Person, whether they had the lead in hand, and from when on they are at work, by (tenant, rule, trigger)."""
    found: dict[tuple[str, str, str], tuple[str | None, bool, datetime | None]] = {}
    waiting: dict[str, dict[str, tuple[str | None, datetime | None, datetime]]] = {}
    for tenant, lead, rule, trigger, at in _in_order(matters):
        holder = _holder(office.done.get((tenant, lead), ()), at)
        if holder is not None:
            found[tenant, rule, trigger] = (holder[0], True, None)
            continue
        queue = waiting.setdefault(tenant, {})
        for other in [name for name, (_, _, until) in queue.items() if until <= at]:
            del queue[other]
        answer = min((when for kind, _, when in office.done.get((tenant, lead), ()) if kind in ANSWERS and when > at), default=None)
        ends = min(at + office.lifetimes[rule], answer or datetime.max.replace(tzinfo=at.tzinfo))
        if lead in queue:
            person, works_from, until = queue[lead]
            queue[lead] = (person, works_from, max(until, ends))
        else:
            person, works_from = _chosen(tenant, at, len(queue), office)
            queue[lead] = (person, works_from, ends)
        found[tenant, rule, trigger] = (person, False, works_from)
    return found


def _in_order(matters: Iterable[Matter]) -> list[Matter]:
    """By time; at one instant by the event of each lead's first matter, then by lead."""
    ordered = sorted(matters, key=lambda each: (each[4], each[2], each[3]))
    first: dict[tuple[str, str, datetime], str] = {}
    for tenant, lead, _, trigger, at in ordered:
        first.setdefault((tenant, lead, at), trigger)
    return sorted(ordered, key=lambda each: (each[4], first[each[0], each[1], each[4]], each[1]))


def _holder(done: Sequence[tuple[str, str | None, datetime]], at: datetime) -> tuple[str | None] | None:
    """Who has the lead in hand: nobody (None), or a person, maybe one that was not told."""
    hands = [(kind, person) for kind, person, when in done if when <= at and kind in ("assigned", "unassigned")]
    return (hands[-1][1],) if hands and hands[-1][0] == "assigned" else None


def _chosen(tenant: str, at: datetime, waiting: int, office: Office) -> tuple[str | None, datetime | None]:
    staff = [
        each
        for each in office.people
        if each.tenant_id == tenant and each.valid_from <= at and (each.valid_to is None or at < each.valid_to)
    ]
    able = [each for each in staff if each.role == "operator"] or [each for each in staff if each.role == "manager"]
    opens = {
        each.person_id: next(max(at, opened) for opened, closed in office.calendars[tenant, each.calendar_id] if closed > at)
        for each in able
    }
    if not opens:
        return None, None
    works_from = min(opens.values())
    loads = {person: _load(tenant, person, at, office) for person, begins in opens.items() if begins == works_from}
    idle = {person: max((when for when in office.named.get((tenant, person), ()) if when <= at), default=None) for person in loads}
    person = ""
    for _ in range(waiting + 1):
        person = min(loads, key=lambda each: (loads[each], idle[each] is not None, idle[each] or at, each))
        loads[person] += 1
    return person, works_from


def _load(tenant: str, person: str, at: datetime, office: Office) -> int:
    count = 0
    for (of_tenant, _), done in office.done.items():
        so_far = [(kind, who) for kind, who, when in done if when <= at and kind != "opted_out"]
        count += of_tenant == tenant and bool(so_far) and so_far[-1] == ("assigned", person)
    return count
