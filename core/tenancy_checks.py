"""Rules of the tenants file that span several fields, parts or tenants; each finding has the path to its place.

Here belong the rules. Not here: shape and types (`tenancy_file`), secrets, which only a machine can look for (`orchestration`).
"""

import difflib
import itertools
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import phonenumbers

from core.business_time import parse_shift
from core.tenancy import Connection, Experiment, SecretRef, Tenant
from core.tenancy_base import Dated
from core.tenancy_file import Path, Reading
from core.tenancy_rows import accounts, allocation_ppm, metrics
from core.tenancy_sending import problems as sending_problems

_FOREVER = datetime.max.replace(tzinfo=UTC)
_FULL_PERCENT, _FULL_PPM = 100, 1_000_000

OWN_EVENTS = ("@won", "@lost", "@opted_out", "@blocked", "@inbound", "@tokens")
"""What a metric may count besides what is observed: `int_experiment_events__identified` makes them of what the warehouse knows."""

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


class Finding(NamedTuple):
    """A broken rule and its place."""

    path: Path
    reason: str


class Claim(NamedTuple):
    """An account that a tenant says is its own for a time."""

    tenant_id: str
    source: str
    account_id: str
    valid_from: datetime
    valid_to: datetime | None
    path: Path = ()


def check(reading: Reading) -> Iterator[Finding]:
    """Every broken rule in what could be read; silent about parts that are missing only because they were unreadable."""
    seen: dict[str, int] = {}
    for index, tenant in reading.tenants.items():
        path: Path = ("tenants", index)
        if tenant.id in seen:
            yield Finding((*path, "id"), f"tenants[{seen[tenant.id]}] is {tenant.id} already")
        seen.setdefault(tenant.id, index)
        partial = {str(section[2]) for section in reading.partial if section[:2] == path and len(section) > 2}
        for finding in _tenant(tenant, partial):
            yield Finding((*path, *finding.path), finding.reason)
    yield from overlapping_claims(claims(reading.tenants))


def claims(tenants: Mapping[int, Tenant]) -> list[Claim]:
    """Every account that the tenants of a file claim, by their index in it."""
    return [
        Claim(tenant.id, each.source, account, each.valid_from, each.valid_to, ("tenants", index, "connections", place))
        for index, tenant in tenants.items()
        for place, each in enumerate(tenant.connections)
        for account in dict.fromkeys(accounts(each))
    ]


def overlapping_claims(found: Iterable[Claim]) -> Iterator[Finding]:
    """Accounts that two connections claim at the same time; reported at the later one of those that have a place."""
    ordered = sorted(found, key=lambda each: (each.source, each.account_id, bool(each.path)))
    for (source, account_id), group in itertools.groupby(ordered, key=lambda each: (each.source, each.account_id)):
        for first, second in itertools.combinations(group, 2):
            if second.path and _overlap(first, second):
                whose = f"of tenant {first.tenant_id}"
                yield Finding(second.path, f"the {source} account {account_id} is already {whose} at that time")


def _tenant(tenant: Tenant, partial: set[str]) -> Iterator[Finding]:
    yield from _time_zone(("timezone",), tenant.timezone)
    if tenant.default_region not in phonenumbers.SUPPORTED_REGIONS:
        yield Finding(("default_region",), f"{tenant.default_region} is no region of the world's numbering plan, such as IN")
    for section, keys in _UNIQUE.items():
        yield from _ranges(section, getattr(tenant, section), keys)
    for place, connection in enumerate(tenant.connections):
        yield from _connection(("connections", place), connection)
    for path, reference in secret_refs(tenant):
        if (reference.env is None) == (reference.file is None):
            yield Finding(path, "a secret is either {env: NAME} or {file: PATH}")
    yield from _calendars(tenant)
    if "calendars" not in partial:
        yield from _calendar_users(tenant)
    yield from _coverage(tenant, partial)
    yield from _promises(tenant, partial)
    yield from _expiry(tenant)
    yield from _weights(tenant)
    yield from _experiments(tenant, partial)
    yield from (Finding(*each) for each in sending_problems(tenant.sending, tenant.texts))


def secret_refs(tenant: Tenant) -> Iterator[tuple[Path, SecretRef]]:
    """Every place of a tenant that names a secret."""
    for place, connection in enumerate(tenant.connections):
        for ordinal, reference in enumerate(connection.verify_secrets):
            yield ("connections", place, "verify_secrets", ordinal), reference
        if connection.access_token is not None:
            yield ("connections", place, "access_token"), connection.access_token
    for place, destination in enumerate(tenant.destinations):
        if isinstance(destination.url, SecretRef):
            yield ("destinations", place, "url"), destination.url
        if destination.secret is not None:
            yield ("destinations", place, "secret"), destination.secret


def _connection(path: Path, connection: Connection) -> Iterator[Finding]:
    if connection.source == "whatsapp" and not connection.numbers:
        yield Finding(path, "a WhatsApp connection needs numbers: the phone number ids of the account")
    if connection.source != "whatsapp" and connection.numbers:
        yield Finding((*path, "numbers"), "only a WhatsApp connection has numbers")
    if connection.source != "gmail" and not connection.verify_secrets:  # Gmail's pushes are signed by Google
        yield Finding(path, "verify_secrets is missing: without it no webhook of this account can be trusted")
    if connection.source == "gmail" and connection.access_token is not None and not connection.verify_secrets:
        yield Finding(path, "verify_secrets is missing: its secret signs the mails that are fetched with the access_token")
    if connection.watch_topic is not None and (connection.source != "gmail" or connection.access_token is None):
        yield Finding((*path, "watch_topic"), "only a Gmail connection with an access_token has a watch_topic")
    names = accounts(connection)
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield Finding(path, f"the account {name} is here twice")


def _ranges(section: str, parts: Sequence[Dated], keys: Sequence[Callable[[Any], tuple[str, ...]]]) -> Iterator[Finding]:
    for place, part in enumerate(parts):
        if part.valid_to is not None and part.valid_to <= part.valid_from:
            yield Finding((section, place, "valid_to"), "the range ends before it begins, or has no length")
    for key in keys:
        for (first, one), (second, other) in itertools.combinations(enumerate(parts), 2):
            if key(one) == key(other) and _overlap(one, other):
                name = " ".join(filter(None, key(one)))
                reason = f"{name + ': ' if name else ''}the range overlaps that of {section}[{first}]"
                yield Finding((section, second), reason)


def _calendars(tenant: Tenant) -> Iterator[Finding]:
    for place, calendar in enumerate(tenant.calendars):
        path: Path = ("calendars", place)
        yield from _time_zone((*path, "timezone"), calendar.timezone)
        if any(moment is not None and moment.microsecond for moment in (calendar.valid_from, calendar.valid_to)):
            yield Finding(path, "a calendar's range begins and ends on whole seconds")
        for day in calendar.week.__struct_fields__:
            for index, text in enumerate(getattr(calendar.week, day)):
                try:
                    parse_shift(text)
                except ValueError as error:
                    yield Finding((*path, "week", day, index), str(error))


def _calendar_users(tenant: Tenant) -> Iterator[Finding]:
    known = sorted({each.id for each in tenant.calendars})
    for section in ("people", "sla_policies", "policies"):
        for place, part in enumerate(getattr(tenant, section)):
            path: Path = (section, place, "calendar")
            versions = [each for each in tenant.calendars if each.id == part.calendar]
            if not versions:
                near = difflib.get_close_matches(part.calendar, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f" (known: {', '.join(known)})"
                yield Finding(path, f"there is no calendar {part.calendar}{hint}")
            elif (gap := _gap(part, versions)) is not None:
                yield Finding(path, f"the calendar {part.calendar} does not cover {_text(gap)}")


def _coverage(tenant: Tenant, partial: set[str]) -> Iterator[Finding]:
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
            gap = _gap(connection, parts)
            if gap is not None:
                yield Finding(("connections", place), f"{name} do not cover {_text(gap)}, when this connection is valid")
    if "debit_rates" in partial:
        return
    for kind in dict.fromkeys(each.kind for each in tenant.debit_rates):  # a kind without any rate is a finding where it is used
        parts = [each for each in tenant.debit_rates if each.kind == kind]
        for place, connection in enumerate(tenant.connections):
            gap = _gap(connection, parts) if connection.source == "platform" else None
            if gap is not None:  # only the operating system's own feed tells of uses
                yield Finding(("connections", place), f"debit_rates of {kind} do not cover {_text(gap)}, when this connection is valid")


def _expiry(tenant: Tenant) -> Iterator[Finding]:
    """A credit never ends before one that was bought earlier, so behind one that never ends no other could."""
    rates = tenant.credit_rates
    for place, each in enumerate(rates):
        if each.expires_not_before is not None and each.expires_after_days is None:
            yield Finding(("credit_rates", place, "expires_not_before"), "it means nothing without expires_after_days")
        behind = [n for n, other in enumerate(rates) if other.expires_after_days and (other.valid_to or _FOREVER) > each.valid_from]
        if each.expires_after_days is None and behind:
            yield Finding(
                ("credit_rates", place),
                f"its credits never expire, so those of credit_rates[{behind[0]}] bought later never could, for what was bought first is "
                "spent first: give it expires_after_days too, and expires_not_before the day until which its credits may be used",
            )


def _promises(tenant: Tenant, partial: set[str]) -> Iterator[Finding]:
    """What is promised to a tier goes on until it ends: between its versions there is no time without a policy of the tier or of any."""
    if "sla_policies" in partial:
        return
    for place, each in enumerate(tenant.sla_policies):
        alike = [other for other in tenant.sla_policies if (other.metric, other.tier) == (each.metric, each.tier)]
        following = min((other.valid_from for other in alike if other.valid_from > each.valid_from), default=None)
        if each.valid_to is None or following is None or following <= each.valid_to:
            continue
        anyone = [other for other in tenant.sla_policies if other.metric == each.metric and other.tier in (each.tier, "ANY")]
        gap = _gap(Dated(valid_from=each.valid_to, valid_to=following), anyone)
        if gap is not None:
            reason = f"no {each.metric} is promised to {each.tier} for {_text(gap)}, between two versions of the policy"
            yield Finding(("sla_policies", place, "valid_to"), reason)


def _weights(tenant: Tenant) -> Iterator[Finding]:
    for place, each in enumerate(tenant.scoring_weights):
        total = each.intent_points + each.budget_points + each.timeline_points + each.engagement_points + each.signal_points
        if total != _FULL_PERCENT:
            yield Finding(("scoring_weights", place), f"the points of the five factors add up to {total}, not {_FULL_PERCENT}")
        if each.hot_at <= each.warm_at:
            yield Finding(("scoring_weights", place), f"hot_at ({each.hot_at}) must be above warm_at ({each.warm_at})")


def _experiments(tenant: Tenant, partial: set[str]) -> Iterator[Finding]:
    for place, each in enumerate(tenant.experiments if "experiments" not in partial else ()):
        path: Path = ("experiments", place, "variants")
        total = sum(allocation_ppm(variant) for variant in each.variants)
        if total != _FULL_PPM:
            yield Finding(path, f"the allocations add up to {total / 10_000:g} %, not 100 %")
        if sum(variant.is_control for variant in each.variants) != 1:
            yield Finding(path, "exactly one variant is the control")
        if len({variant.name for variant in each.variants}) < len(each.variants):
            yield Finding(path, "two variants have the same name")
        if any(variant.is_control and not variant.allocation_percent for variant in each.variants):
            yield Finding(path, "the control has no allocation: there would be nothing to compare with")
        for finding in _metrics(each):
            yield Finding(("experiments", place, *finding.path), finding.reason)


def _metrics(experiment: Experiment) -> Iterator[Finding]:
    names = [each.name for each in experiment.metrics]
    roles = [experiment.primary_metric, *(each.metric for each in experiment.guardrails)]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield Finding(("metrics",), f"the metric {name} is defined twice")
    for name in sorted({each for each in roles if roles.count(each) > 1}):
        yield Finding(("guardrails",), f"{name} is the primary metric already, or a guardrail twice: each has one part in the experiment")
    for place, each in enumerate(experiment.metrics):
        if (each.kind == "ratio") != (each.denominator_event is not None):
            yield Finding(("metrics", place), "a ratio has a denominator_event, and nothing else has one")
        if each.kind != "mean" and each.covariate_days is not None:
            yield Finding(("metrics", place, "covariate_days"), "only a mean is compared with what was before the exposure")
    for metric in metrics(experiment):
        for event in (metric.event or metric.name, metric.denominator_event):
            if event is not None and event.startswith("@") and event not in OWN_EVENTS:
                yield Finding(("metrics",), f"there is no event {event}; the warehouse's own are {', '.join(OWN_EVENTS)}")


def _time_zone(path: Path, name: str) -> Iterator[Finding]:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1)
        yield Finding(path, f"no such time zone: {name!r}" + (f"; did you mean {near[0]}?" if near else ", such as Asia/Kolkata"))


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.valid_from < (other.valid_to or _FOREVER) and other.valid_from < (one.valid_to or _FOREVER))


def _gap(needed: Dated, parts: Sequence[Dated]) -> tuple[datetime, datetime] | None:
    """The first stretch of `needed` that no part covers."""
    moment, end = needed.valid_from, needed.valid_to or _FOREVER
    for part in sorted(parts, key=lambda each: each.valid_from):
        if part.valid_from > moment:
            return (moment, min(end, part.valid_from)) if moment < end else None
        moment = max(moment, part.valid_to or _FOREVER)
    return (moment, end) if moment < end else None


def _text(gap: tuple[datetime, datetime]) -> str:
    begin = gap[0].astimezone(UTC).isoformat()
    return f"the time from {begin} on" if gap[1] == _FOREVER else f"the time from {begin} to {gap[1].astimezone(UTC).isoformat()}"
