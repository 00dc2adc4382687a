"""Rules of the tenants file on time: what is never valid twice, and what has to be valid without a gap.

Here belong those rules, over one tenant's dated parts; each finding is the path to its place and the reason. Not here: all other rules
(`tenancy_checks`).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from core.tenancy import Tenant
from core.tenancy_base import Dated
from core.tenancy_file import Path

_FOREVER = datetime.max.replace(tzinfo=UTC)

# What must not be valid twice at once, by section.
_UNIQUE: Mapping[str, Sequence[Callable[[Any], tuple[str, ...]]]] = {
    "connections": [lambda each: (each.id,)],
    "destinations": [lambda each: (each.id,)],
    "people": [lambda each: (each.id,)],
    "calendars": [lambda each: (each.id,)],
    "sla_policies": [lambda each: (each.id,), lambda each: (each.tier, each.metric)],
    "credit_rates": [lambda each: (each.currency,)],
    "debit_rates": [lambda each: (each.kind, each.model, each.channel, each.category)],
    "message_prices": [lambda each: (each.channel, each.category)],
    "scoring_weights": [lambda _: ()],
    "policies": [lambda _: ()],
    "experiments": [lambda each: (each.id,)],
    "sending": [lambda _: ()],
    "texts": [lambda each: (each.name,)],
}


def problems(tenant: Tenant, partial: set[str]) -> Iterator[tuple[Path, str]]:
    """What is wrong; `partial`: sections of which a part could not be read."""
    for section, keys in _UNIQUE.items():
        yield from _ranges(section, getattr(tenant, section), keys)
    yield from _coverage(tenant, partial)
    yield from _promises(tenant, partial)
    yield from _expiry(tenant)


def _ranges(section: str, parts: Sequence[Dated], keys: Sequence[Callable[[Any], tuple[str, ...]]]) -> Iterator[tuple[Path, str]]:
    for place, part in enumerate(parts):
        if part.valid_to is not None and part.valid_to <= part.valid_from:
            yield (section, place, "valid_to"), "the range ends before it begins, or has no length"
    for key in keys:
        for (first, one), (second, other) in itertools.combinations(enumerate(parts), 2):
            if key(one) == key(other) and overlap(one, other):
                name = " ".join(filter(None, key(one)))
                reason = f"{name + ': ' if name else ''}the range overlaps that of {section}[{first}]"
                yield (section, second), reason


def _coverage(tenant: Tenant, partial: set[str]) -> Iterator[tuple[Path, str]]:
    """History cannot be judged at a time for which there is no rule, so no connection may be valid then."""
    rates = [each for each in tenant.credit_rates if each.currency == tenant.currency]
    needed: dict[str, Sequence[Dated]] = {
        "policies": tenant.policies,
        "scoring_weights": tenant.scoring_weights,
        f"credit_rates in {tenant.currency}": rates,
    }
    for name, parts in needed.items():
        section = name.split(" ")[0]
        if section in partial:
            continue
        for place, connection in enumerate(tenant.connections):
            left = gap(connection, parts)
            if left is not None:
                yield ("connections", place), f"{name} do not cover {text_of(left)}, when this connection is valid"
    if "debit_rates" in partial:
        return
    for kind in dict.fromkeys(each.kind for each in tenant.debit_rates):  # a kind without any rate is a finding where it is used
        parts = [each for each in tenant.debit_rates if each.kind == kind]
        for place, connection in enumerate(tenant.connections):
            left = gap(connection, parts) if connection.source == "platform" else None
            if left is not None:  # only the operating system's own feed tells of uses
                yield ("connections", place), f"debit_rates of {kind} do not cover {text_of(left)}, when this connection is valid"


def _expiry(tenant: Tenant) -> Iterator[tuple[Path, str]]:
    """A credit never ends before one that was bought earlier, so behind one that never ends no other could."""
    rates = tenant.credit_rates
    for place, each in enumerate(rates):
        if each.expires_not_before is not None and each.expires_after_days is None:
            yield ("credit_rates", place, "expires_not_before"), "it means nothing without expires_after_days"
        behind = [n for n, other in enumerate(rates) if other.expires_after_days and (other.valid_to or _FOREVER) > each.valid_from]
        if each.expires_after_days is None and behind:
            yield (
                ("credit_rates", place),
                f"its credits never expire, so those of credit_rates[{behind[0]}] bought later never could, for what was bought first is "
                "spent first: give it expires_after_days too, and expires_not_before the day until which its credits may be used",
            )


def _promises(tenant: Tenant, partial: set[str]) -> Iterator[tuple[Path, str]]:
    """What is promised to a tier goes on until it ends: between its versions there is no time without a policy of the tier or of any."""
    if "sla_policies" in partial:
        return
    for place, each in enumerate(tenant.sla_policies):
        alike = [other for other in tenant.sla_policies if (other.metric, other.tier) == (each.metric, each.tier)]
        following = min((other.valid_from for other in alike if other.valid_from > each.valid_from), default=None)
        if each.valid_to is None or following is None or following <= each.valid_to:
            continue
        anyone = [other for other in tenant.sla_policies if other.metric == each.metric and other.tier in (each.tier, "ANY")]
        left = gap(Dated(valid_from=each.valid_to, valid_to=following), anyone)
        if left is not None:
            reason = f"no {each.metric} is promised to {each.tier} for {text_of(left)}, between two versions of the policy"
            yield ("sla_policies", place, "valid_to"), reason


def overlap(one: Any, other: Any) -> bool:
    """Whether two dated parts are valid at one moment."""
    return bool(one.valid_from < (other.valid_to or _FOREVER) and other.valid_from < (one.valid_to or _FOREVER))


def gap(needed: Dated, parts: Sequence[Dated]) -> tuple[datetime, datetime] | None:
    """The first stretch of `needed` that no part covers."""
    moment, end = needed.valid_from, needed.valid_to or _FOREVER
    for part in sorted(parts, key=lambda each: each.valid_from):
        if part.valid_from > moment:
            return (moment, min(end, part.valid_from)) if moment < end else None
        moment = max(moment, part.valid_to or _FOREVER)
    return (moment, end) if moment < end else None


def text_of(stretch: tuple[datetime, datetime]) -> str:
    """A stretch of time in words."""
    begin = stretch[0].astimezone(UTC).isoformat()
    return f"the time from {begin} on" if stretch[1] == _FOREVER else f"the time from {begin} to {stretch[1].astimezone(UTC).isoformat()}"
