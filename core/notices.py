"""Notices of the platform itself: what no mart wants and people are told all the same. A failed run, and the digest of a day.

Here belong their actions and when they are due. Not here: the rules of the marts (`core.plans`), counting what happened.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from core.actions import About, Action, key_of, telling

RUN_FAILURE, DIGEST = "run_failure", "daily_digest"
NOTICE_RULES = frozenset({RUN_FAILURE, DIGEST})
"""Rules whose actions stand by themselves: no published request says whether they are still wanted."""

DIGEST_AT = time(8)
"""By the tenant's own clock: before the day's work, after a night in which all of yesterday has arrived."""


class DigestDay(NamedTuple):
    """One local day of a tenant, [since, until) in UTC, and when its digest is due."""

    tenant_id: str
    day: date
    since: datetime
    until: datetime
    due_at: datetime


class Backlog(NamedTuple):
    """What the outbox holds for a delivery run.

    `ready` may be tried now, their lanes being open, of `releasable` the moment has come until which the gate held them, and of `abandoned`
    the worker has died. What the gate holds until the marts say otherwise is looked at by the run that publishes.
    """

    ready: int
    releasable: int
    abandoned: int


class Notices(Protocol):
    """What the platform must know to tell people of itself."""

    def backlog(self, as_of: datetime) -> Backlog:
        """What a delivery run would find."""
        ...

    def operations_tenant(self) -> str | None:
        """The tenant whose people run the platform, if the settings name one."""
        ...

    def zones(self, as_of: datetime) -> Mapping[str, str]:
        """Time zones of the tenants that have an address for alerts at a moment."""
        ...

    def tally(self, day: DigestDay) -> Mapping[str, int]:
        """How many actions of the tenant ended how on that day (`sent`, `sent_lead_leak` …), and how many are unknown or held now."""
        ...

    def lifetime(self, rule: str, moment: datetime) -> timedelta:
        """How long an action of a rule stays worth doing."""
        ...


def digest_days(zones: Mapping[str, str], as_of: datetime) -> list[DigestDay]:
    """The newest day of each tenant whose digest is due: yesterday from 08:00 on by the tenant's clock, before that the day before.

    >>> from datetime import UTC
    >>> [each] = digest_days({"t": "Asia/Kolkata"}, datetime(2026, 3, 3, 2, 30, tzinfo=UTC))
    >>> str(each.day), str(each.since), str(each.due_at)
    ('2026-03-02', '2026-03-01 18:30:00+00:00', '2026-03-03 02:30:00+00:00')
    """
    found = []
    for tenant_id, name in sorted(zones.items()):
        zone = ZoneInfo(name)
        today = as_of.astimezone(zone).date()
        if as_of < _instant(today, DIGEST_AT, zone):
            today -= timedelta(days=1)
        day = today - timedelta(days=1)
        found.append(
            DigestDay(tenant_id, day, _instant(day, time(), zone), _instant(today, time(), zone), _instant(today, DIGEST_AT, zone))
        )
    return found


def digest_id(day: DigestDay) -> str:
    """The action's id: one digest a tenant and day, whoever asks."""
    return key_of(day.tenant_id, DIGEST, "digest", day.day.isoformat())


def plan_digests(zones: Mapping[str, str], known: Collection[str], as_of: datetime) -> list[DigestDay]:
    """The days whose digest is due and not in the outbox yet.

    There is no cursor to lose: what is known decides. Only the newest day is told: after a longer standstill nobody wants a week of them.
    """
    return [each for each in digest_days(zones, as_of) if digest_id(each) not in known]


def digest_action(day: DigestDay, tally: Mapping[str, int], lifetime: timedelta) -> Action:
    """The digest as a wanted action."""
    details = {"date": day.day.isoformat(), **tally}
    return telling(About(day.tenant_id, DIGEST, "digest", day.day.isoformat()), "notify", "webhook", details, day.due_at, lifetime)


def failure_action(tenant_id: str, job: str, run_id: str, steps: Sequence[str], failed_at: datetime, lifetime: timedelta) -> Action:
    """The alert on a failed run: one for a job and hour, however often it fails in it.

    What went wrong is in the run's log alone, for it may quote what people wrote.

    Args:
        tenant_id: whose people are told.
        job: what was run.
        run_id: the first of them that failed in the hour.
        steps: those of its steps that failed, if it came that far.
        failed_at: when; the hour is UTC's.
        lifetime: how long it is worth telling.
    """
    details = {"job": job, "run_id": run_id, "failed_steps": list(steps), "failed_at": failed_at.isoformat()}
    about = About(tenant_id, RUN_FAILURE, job, f"{job}:{failed_at:%Y-%m-%dT%H}")
    return telling(about, "notify", "webhook", details, failed_at, lifetime)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The wall clock's moment in UTC; one that a change of the clocks leaves out or repeats is the earlier reading."""
    return datetime.combine(day, at, zone).astimezone(UTC)
