"""What evidence is worth, and what people decided on it.

Here belong the dated strengths of evidence, the ids of links, and which decision stands. Not here: who held a point
(`core.identity_holders`), how links become leads (`core.identity`), where decisions are kept (`core.identity_ports.Identity`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from core.actions import key_of
from core.identity_holders import Link

Verdict = Literal["accepted", "revoked", "dismissed"]

_ID_DIGITS = 24  # 96 bits: a collision among 10^9 links has a chance of 10^-11


class StrengthError(Exception):
    """A kind of evidence that the reference data says nothing about at its time, or twice."""


class Strength(Struct, kw_only=True, frozen=True):
    """What evidence of a kind is worth while the row is valid; `source` empty: of any.

    Strong evidence makes two points one lead; weak evidence is shown with its `score` (0 to 1) until a person accepts it. What more than
    `most_leads` leads share is no evidence at all (a common name).
    """

    kind: str
    source: str
    strength: Literal["strong", "weak"]
    score: float
    most_leads: int | None
    valid_from: datetime
    valid_to: datetime | None = None


class Strengths:
    """The dated rows, by kind and source."""

    def __init__(self, rows: Iterable[Strength]) -> None:
        """Take all rows, in any order."""
        self._rows: dict[tuple[str, str], list[Strength]] = {}
        for row in rows:
            self._rows.setdefault((row.kind, row.source), []).append(row)

    def of(self, kind: str, source: str, moment: datetime) -> Strength:
        """The row valid at a moment; one that names the source beats one for any.

        Raises:
            StrengthError: none is valid then, or more than one.
        """
        for key in ((kind, source), (kind, "")):
            valid = [row for row in self._rows.get(key, ()) if row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to)]
            if len(valid) == 1:
                return valid[0]
            if valid:
                break
        count = "more than one strength" if valid else "no strength"
        message = f"{count} of {kind!r} evidence from {source or 'any source'!r} is valid at {moment.isoformat()}: see identity_strengths"
        raise StrengthError(message)


class Decision(NamedTuple):
    """What a person decided on one link. `number` rises with every decision; who and why is kept beside (`core.identity_ports.Identity`).

    `one_id` and `other_id` are the lead ids that the two holders have alone; of a change of number, its two points.
    """

    number: int
    tenant_id: str
    link_id: str
    verdict: Verdict
    one_id: str
    other_id: str
    decided_at: datetime


def pair_id(tenant_id: str, one_id: str, other_id: str) -> str:
    """The link of two holders, named by their own lead ids in either order."""
    return f"link_{key_of(tenant_id, 'pair', *sorted((one_id, other_id)))[:_ID_DIGITS]}"


def change_id(change: Link) -> str:
    """The link that one change of a number or user id is; its source does not matter."""
    parts = (change.tenant_id, change.kind, change.point_id, change.other_point_id, change.occurred_at.isoformat())
    return f"link_{key_of(*parts)[:_ID_DIGITS]}"


def standing(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """The decision that stands on each link: the last by its moment, then its number; link ids differ between tenants."""
    last: dict[str, Decision] = {}
    for each in decisions:
        known = last.get(each.link_id)
        if known is None or (known.decided_at, known.number) < (each.decided_at, each.number):
            last[each.link_id] = each
    return last
