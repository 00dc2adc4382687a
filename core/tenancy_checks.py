"""Rules of the tenants file that span several fields, parts or tenants; each finding has the path to its place.

Here belong the rules. Not here: those on time (`tenancy_times`), shape and types (`tenancy_file`), secrets, which only a machine can look
for (`orchestration`).
"""

import difflib
import itertools
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import phonenumbers

from core.business_time import parse_shift
from core.tenancy import Connection, Experiment, SecretRef, Tenant
from core.tenancy_file import Path, Reading
from core.tenancy_rows import accounts, allocation_ppm, metrics
from core.tenancy_sending import problems as sending_problems
from core.tenancy_times import gap, overlap, text_of
from core.tenancy_times import problems as time_problems

_FULL_PERCENT, _FULL_PPM = 100, 1_000_000

OWN_EVENTS = ("@won", "@lost", "@opted_out", "@blocked", "@inbound", "@tokens")
"""What a metric may count besides what is observed: `int_experiment_events__identified` makes them of what the warehouse knows."""


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
            if second.path and overlap(first, second):
                whose = f"of tenant {first.tenant_id}"
                yield Finding(second.path, f"the {source} account {account_id} is already {whose} at that time")


def _tenant(tenant: Tenant, partial: set[str]) -> Iterator[Finding]:
    yield from _time_zone(("timezone",), tenant.timezone)
    if tenant.default_region not in phonenumbers.SUPPORTED_REGIONS:
        yield Finding(("default_region",), f"{tenant.default_region} is no region of the world's numbering plan, such as IN")
    yield from (Finding(*each) for each in time_problems(tenant, partial))
    for place, connection in enumerate(tenant.connections):
        yield from _connection(("connections", place), connection)
    for path, reference in secret_refs(tenant):
        if (reference.env is None) == (reference.file is None):
            yield Finding(path, "a secret is either {env: NAME} or {file: PATH}")
    yield from _calendars(tenant)
    if "calendars" not in partial:
        yield from _calendar_users(tenant)
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
            elif (left := gap(part, versions)) is not None:
                yield Finding(path, f"the calendar {part.calendar} does not cover {text_of(left)}")


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
