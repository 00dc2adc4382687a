"""Requests of people about their own data, in Dagster: noted, watched by a clock, executed.

Here belong the asset of requests, its check, and the job that executes. Not here: the rules (`core.privacy`), the steps of an erasure, when
things run (`orchestration.automation`, `orchestration.sensors`).
"""

import dagster as dg
from pydantic import Field

from assets.owners import OWNED
from core.action_ports import Outbox
from core.ports import Clock, Lake
from core.privacy_ports import Privacy

_OWNERS = ["team:operations"]
REQUESTS = dg.AssetKey(["ops", "privacy_requests"])


@dg.asset(
    key=REQUESTS,
    deps=[["lake", "privacy_requests"], ["reference", "lead_points"]],
    group_name="privacy",
    kinds={"postgres"},
    owners=_OWNERS,
)
def privacy_requests(
    privacy: dg.ResourceParam[Privacy], lake: dg.ResourceParam[Lake], outbox: dg.ResourceParam[Outbox]
) -> dg.MaterializeResult[None]:
    """Requests that the feed told of are noted, each once; of those that are open, the clock's warnings go to the outbox."""
    new, warned = privacy.take_feed(lake), privacy.warn(outbox)
    return dg.MaterializeResult(metadata={"new": new, "warnings": warned, **dict(privacy.counts())})


@dg.asset_check(asset=REQUESTS, description="No request of a person is open after its 30 days.")
def no_privacy_request_is_overdue(privacy: dg.ResourceParam[Privacy]) -> dg.AssetCheckResult:
    """Warn: somebody has to act, and no run does."""
    counts = privacy.counts()
    return dg.AssetCheckResult(passed=not counts.get("overdue"), severity=dg.AssetCheckSeverity.WARN, metadata=dict(counts))


class Requests(dg.Config):
    """Which requests to execute; none means every one that waits."""

    request_ids: list[str] = Field(default_factory=list)


@dg.op(description="Approved erasures are executed and verified; one whose verification finds something stays open and fails the run.")
def execute_requests(context: dg.OpExecutionContext, config: Requests, privacy: dg.ResourceParam[Privacy]) -> None:
    """Together: the stores are read once. It takes the run lock itself."""
    done = privacy.execute(config.request_ids or privacy.waiting())
    for each in done:
        context.log.info("%s", dict(each))
    left = [each for each in done if each["hits"] or each["refused"]]
    if left:
        told = "; ".join(f"{each['request_id']}: {each['refused'] or str(each['hits']) + ' hits'}" for each in left)
        raise dg.Failure(
            f"{len(left)} requests are not closed ({told}): flexoraa gdpr status, flexoraa gdpr certificate", allow_retries=False
        )


@dg.job(
    name="execute_privacy_requests",
    tags=OWNED,
    description="Approved erasures: executed, verified, certified. Launch it with requests, or with none for all that wait.",
    config={"ops": {"execute_requests": {"config": {"request_ids": []}}}},
)
def execute_privacy_requests() -> None:
    """One step."""
    execute_requests()


@dg.op(description="Requests that are still open near the end of their 30 days are told to the tenant.")
def watch_the_clock(
    context: dg.OpExecutionContext, privacy: dg.ResourceParam[Privacy], outbox: dg.ResourceParam[Outbox], clock: dg.ResourceParam[Clock]
) -> None:
    """Once a day."""
    context.log.info("warnings at %s: %s new; requests: %s", clock.now().isoformat(), privacy.warn(outbox), dict(privacy.counts()))


@dg.job(name="privacy_clock", tags=OWNED, description="Warnings of open requests of people, 7 and 2 days before their end and at it.")
def privacy_clock() -> None:
    """One step."""
    watch_the_clock()
