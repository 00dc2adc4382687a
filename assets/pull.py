"""Fetching what vendors do not send by themselves: jobs over the port `core.pulling.Pull`, to be started by sensors, schedules or people.

Here belongs which accounts a run looks at, and that one that fails fails the run after all others were looked at. Nothing is materialized:
what is fetched lies in the inbox as segments, and is taken in like them. Not here: asking vendors (`orchestration.resources.pull`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from assets.owners import OWNED
from core.plans import WATCH_DAILY, WATCH_URGENT, is_watch_due, polls_due
from core.ports import Clock
from core.pulling import Pull, Pulled


def poll_all(pull: Pull, clock: Clock) -> list[Pulled]:
    """Every mailbox that is due, and its watch where that is about to end."""
    now = clock.now()
    due = polls_due(pull.mailboxes(), now, pull.every())
    return [pull.poll(each) for each in due] + [pull.watch(each) for each in due if is_watch_due(each, now, WATCH_URGENT)]


def renew_all(pull: Pull, clock: Clock) -> list[Pulled]:
    """The watch of every mailbox that has not been renewed today."""
    return [pull.watch(each) for each in pull.mailboxes() if is_watch_due(each, clock.now(), WATCH_DAILY)]


@dg.op(description="Every mailbox that is due: from the stored place of its history on; what is new is handed in to the inbox.")
def poll_mailboxes(context: dg.OpExecutionContext, pull: dg.ResourceParam[Pull], clock: dg.ResourceParam[Clock]) -> None:
    """Poll; fails after the last mailbox if any failed."""
    _tell(context, poll_all(pull, clock))


@dg.op(description="The watch of every mailbox with a topic, daily: Gmail ends it after 7 days.")
def renew_mailbox_watches(context: dg.OpExecutionContext, pull: dg.ResourceParam[Pull], clock: dg.ResourceParam[Clock]) -> None:
    """Renew; fails after the last mailbox if any failed."""
    _tell(context, renew_all(pull, clock))


class BackFillConfig(dg.Config):
    """What to fetch of `razorpay` or `calendly`, from when (ISO 8601 with an offset), until when (else now, or for ever), whose."""

    source: str
    since: str
    until: str = ""
    tenant_id: str = ""


@dg.op(description="All that Razorpay or Calendly lists of a span. One that was broken off goes on where it was.")
def back_fill_accounts(context: dg.OpExecutionContext, config: BackFillConfig, pull: dg.ResourceParam[Pull]) -> None:
    """Back-fill; fails after the last account if any failed."""
    until = _moment(config.until) if config.until else None
    _tell(context, pull.back_fill(config.source, _moment(config.since), until, config.tenant_id or None))


@dg.job(tags=OWNED, description="Mailboxes that are due, polled.")
def poll_gmail() -> None:
    """One run polls whatever is due."""
    poll_mailboxes()


@dg.job(tags=OWNED, description="Watches of mailboxes, renewed.")
def renew_watches() -> None:
    """One run renews whatever is due."""
    renew_mailbox_watches()


@dg.job(
    tags=OWNED,
    description="Razorpay's or Calendly's past, fetched. The Launchpad shows a config to put right: a source and a span.",
    config={"ops": {"back_fill_accounts": {"config": {"source": "razorpay", "since": "2026-10-01T00:00:00Z"}}}},
)
def back_fill() -> None:
    """One run back-fills what its config says."""
    back_fill_accounts()


def _tell(context: dg.OpExecutionContext, told: Sequence[Pulled]) -> None:
    counts: dict[str, Any] = {
        f"{each.tenant_id} {each.connection_id} {each.resource}": f"{each.state}: {each.items} listed, {each.bodies} bodies handed in"
        for each in told
    }
    context.log.info("pulled: %s", counts)
    context.add_output_metadata(counts)
    failed = [each.error for each in told if each.state == "failed"]
    if failed:
        raise dg.Failure(description="\n".join(failed), metadata=counts, allow_retries=False)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise dg.Failure(description=f"{text!r} is no ISO 8601 time with an offset, such as 2026-11-22T18:00:00Z", allow_retries=False)
    return moment
