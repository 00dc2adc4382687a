"""What each sensor decides, as pure functions: `plan_x(cursor, observed) -> (what to do, next cursor)`.

Here belongs the choice; reading what is observed and acting on it is the sensor's. Not here: Dagster, databases, the clock.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from core.actions import Action, key_of
from core.experiments import Configured, Key, Kill, Publication
from core.notices import Backlog
from core.pulling import Mailbox


class Plan(NamedTuple):
    """What to put in the outbox, and where the next look starts."""

    actions: tuple[Action, ...]
    cursor: str


def plan_requests(cursor: str, observed: Sequence[Action], known: Collection[str], as_of: datetime) -> Plan:
    """Requests that are due and not yet in the outbox, oldest first.

    The cursor is the latest `due_at` that was seen due; it says how far the sensor has looked and never filters: a late row may be due
    before it. What decides is `known`, the ids that the outbox holds, so a crash before the cursor moves costs nothing, and a replay
    asks for nothing twice.
    """
    due = sorted((each for each in observed if each.due_at <= as_of), key=lambda each: (each.due_at, each.action_id))
    wanted = tuple(each for each in due if each.action_id not in known)
    return Plan(wanted, max([cursor, *(each.due_at.isoformat() for each in due)]))


def plan_ingest(cursor: str, pending: Sequence[str], *, is_awaited: bool = False) -> tuple[str | None, str]:
    """Whether closed segments wait: the run key of a run that takes in all of them, and the next cursor.

    One run works on everything pending, so what a tick saw names the run but does not limit it, and none is asked for where one is on its
    way that has not begun (`is_awaited`, looked for after `pending`): with a webhook every ten seconds and runs of a minute the queue would
    grow without end, of runs that find nothing. The cursor is the last set asked for:
    the same unfinished set asks once, any other set asks again, and so does the same after a tick that saw none. A key tells how many
    names there are and their hash, not the names: whoever drops a file chooses its name, and it may hold a person's number.

    >>> plan_ingest("", ["a.ndjson"])
    ('1:061a3fa26cce', '1:061a3fa26cce')
    """
    if not pending:
        return None, ""
    key = f"{len(pending)}:{key_of(*sorted(pending))[:12]}"
    return (None if key == cursor or is_awaited else key), key


PATIENCE = timedelta(minutes=10)
"""How long a run on its way is taken for the one that will find what waits. One that hangs, or whose process died unseen, is not waited for
any longer; two that deliver at once share the work, so asking too soon costs a process and nothing else."""


def is_on_its_way(asked_at: Sequence[datetime], as_of: datetime) -> bool:
    """Whether any of the runs that were asked for at these moments may still be believed to come."""
    return any(as_of - PATIENCE < each for each in asked_at)


def plan_delivery(backlog: Backlog, asked_at: Sequence[datetime], as_of: datetime) -> bool:
    """Whether to ask for a delivery run: something is due or abandoned, and no delivery run is on its way that will find it.

    There is no cursor: what waits in the outbox is the whole of it, so an action whose retry has come, one that was added just before its
    sensor died, and one that a person asked for again are found alike, and a lost or repeated tick costs nothing.

    Args:
        backlog: what the outbox holds.
        asked_at: when the delivery runs that have not ended were asked for.
        as_of: now.
    """
    return any(backlog) and not is_on_its_way(asked_at, as_of)


def plan_kills(
    cursor: str, publication: Publication, wanted: Configured, killed: Collection[Key], as_of: datetime
) -> tuple[tuple[Kill, ...], str]:
    """The experiments in force that must not go on, by the newest publication; whatever is missing or stale is a reason too.

    Args:
        cursor: the moment of the last publication that was looked at; it says how far and never filters, as statistics get stale
            without any publication.
        publication: the newest decisions.
        wanted: the configuration as it is now; those in force at `as_of` are judged.
        killed: those that are killed already.
        as_of: now.
    """
    told = {(each.tenant_id, each.experiment_id, each.valid_from): each for each in publication.decisions}
    live = [each for each in wanted.variants if each.valid_from <= as_of and (each.valid_to is None or as_of < each.valid_to)]
    begun = {(each.tenant_id, each.experiment_id): each for each in live}
    kills = []
    for (tenant_id, experiment_id), version in sorted(begun.items()):
        valid_from, patience = version.valid_from, timedelta(hours=version.stale_after_hours)
        decision = told.get((tenant_id, experiment_id, valid_from))
        if (tenant_id, experiment_id) in killed:
            continue
        if decision is not None and decision.status == "killed":
            kills.append(Kill(tenant_id, experiment_id, decision.cause, decision.reason, decision.evidence))
        else:
            configured_at = max(filter(None, (valid_from, wanted.applied_at.get(tenant_id))))
            known_at = configured_at if decision is None else publication.as_of
            if known_at is not None and as_of - max(known_at, configured_at) > patience:
                told_at = "at all" if decision is None else f"since {known_at.isoformat()}"
                why = f"no statistics were published {told_at}; at most {version.stale_after_hours} hours are borne"
                kills.append(Kill(tenant_id, experiment_id, "statistics", why, "{}"))
    moment = publication.as_of
    return tuple(kills), cursor if moment is None else max(cursor, moment.isoformat())


NEVER = datetime(1970, 1, 1, tzinfo=UTC)
WATCH_DAILY = timedelta(days=6)
"""A watch lasts 7 days. Renewed daily, it has always more than 6 left, and Google may fail for days before pushes stop."""

WATCH_URGENT = timedelta(days=1)
"""With less left, any look at the mailbox renews it, whatever became of the daily schedule."""


def poll_due_at(mailbox: Mailbox, every: timedelta) -> datetime:
    """When a mailbox is to be looked at: at once if never tried or told of since, else `every` after the last try.

    The last try, not the last success: a mailbox whose credential has expired is tried at the same pace as the others.
    """
    if mailbox.tried_at is None:
        return NEVER
    if mailbox.told_at is not None and mailbox.told_at > mailbox.tried_at:
        return min(mailbox.told_at, mailbox.tried_at + every)
    return mailbox.tried_at + every


def polls_due(observed: Sequence[Mailbox], as_of: datetime, every: timedelta) -> list[Mailbox]:
    """The mailboxes to look at now."""
    return [each for each in observed if poll_due_at(each, every) <= as_of]


def plan_polls(cursor: str, observed: Sequence[Mailbox], as_of: datetime, every: timedelta) -> tuple[bool, str]:
    """Whether to ask for a run that looks at all mailboxes that are due, and the next cursor.

    The cursor is the moment of the last asking. What came due by then was asked for and waits in the queue; it is asked for again only
    after `every`, in case that the run was lost. What the run polls it finds out itself, so asking twice costs nothing.

    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> plan_polls("", [Mailbox("t", "c", "a@b.co", None, None)], at, timedelta(minutes=5))
    (True, '2026-03-01T00:00:00+00:00')
    """
    due = [poll_due_at(each, every) for each in polls_due(observed, as_of, every)]
    asked_at = datetime.fromisoformat(cursor) if cursor else None
    is_wanted = bool(due) and (asked_at is None or max(due) > asked_at or as_of >= asked_at + every)
    return is_wanted, as_of.isoformat() if is_wanted else cursor


def is_watch_due(mailbox: Mailbox, as_of: datetime, least: timedelta) -> bool:
    """Whether a mailbox with a topic has no watch, or one that ends in less than `least`."""
    return mailbox.is_watched and (mailbox.watch_ends_at is None or mailbox.watch_ends_at < as_of + least)
