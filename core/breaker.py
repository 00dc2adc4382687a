"""When a segment is held whole: too much that is authentic could not be taken in.

Here belongs the rule. Not here: where a held segment lies (`core.ports.Inbox`), who lets it in (`assets.breaker`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.ports import Count, Held

MOST_PERCENT = 5
"""Exactly this much is taken in; anything above it is held."""

FEWEST_REJECTS = 20
"""Of fewer than these nothing is concluded: one placeholder in a file of three lines is a third of it."""

_SAYS_NOTHING = frozenset({"wrong_signature", "unknown_account", "not_an_event"})
"""Reasons that do not speak for a broken decoder: anybody can send the first two, and the third is not broken."""


class Verdict(NamedTuple):
    """One tenant's share of a source in a segment of which too much is broken; `received` counts what is authentic."""

    tenant_id: str
    source: str
    received: int
    rejected: int
    reasons: dict[str, int]


class Tripped(Exception):  # noqa: N818 — no fault of the work: a finding about what it was given
    """Too much of the segment is broken; nothing of it was taken in."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        """`verdicts`: which shares, never empty."""
        self.verdicts = verdicts
        worst = max(verdicts, key=lambda each: each.rejected / each.received)
        super().__init__(f"{worst.rejected} of {worst.received} events of {worst.tenant_id} by {worst.source} are broken")


def is_telling(tenant_id: str, reason: str) -> bool:
    """Whether a reject says something of decoder or connection: it was authentic, and broken all the same.

    >>> is_telling("acme", "bad_shape"), is_telling("acme", "wrong_signature"), is_telling("", "not_json")
    (True, False, False)
    """
    return bool(tenant_id) and reason not in _SAYS_NOTHING


def judge(counts: Iterable[Count], held: Iterable[Held]) -> list[Verdict]:
    """Shares by (tenant, source) with at least `FEWEST_REJECTS` telling rejects that are more than `MOST_PERCENT` of what is authentic.

    Unsigned junk counts on neither side, so nobody without a secret can bring a segment to be held, or keep a broken one from it.
    """
    reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in held:
        if is_telling(each.tenant_id, each.reason):
            reasons[each.tenant_id, each.source][each.reason] += 1
    accepted: Counter[tuple[str, str]] = Counter()
    for count in counts:
        accepted[count.tenant_id, count.source] += count.accepted
    verdicts = []
    for key, found in sorted(reasons.items()):
        rejected = found.total()
        received = accepted[key] + rejected
        if rejected >= FEWEST_REJECTS and rejected * 100 > MOST_PERCENT * received:
            verdicts.append(Verdict(*key, received, rejected, dict(sorted(found.items()))))
    return verdicts
