"""Notices of the platform itself into the outbox: digests of a day, failed runs.

Here belongs the order: what is known, what is due, put in. Not here: what a notice says (`core.notices`), Dagster's sensors.
"""

from collections.abc import Sequence
from datetime import datetime

from core.action_ports import Outbox
from core.notices import DIGEST, RUN_FAILURE, Notices, digest_action, digest_days, digest_id, failure_action, plan_digests
from core.ports import Clock


def digest(outbox: Outbox, notices: Notices, clock: Clock) -> int:
    """Put every digest that is due in the outbox; returns how many were new."""
    now = clock.now()
    zones = notices.zones(now)
    days = plan_digests(zones, outbox.known([digest_id(each) for each in digest_days(zones, now)]), now)
    return outbox.add([digest_action(each, notices.tally(each), notices.lifetime(DIGEST, each.due_at)) for each in days], now)


def tell_of_failure(outbox: Outbox, notices: Notices, job: str, run_id: str, steps: Sequence[str], failed_at: datetime) -> str:
    """Put the alert on a failed run in the outbox, for whoever runs the platform; says what became of it."""
    tenant_id = notices.operations_tenant()
    if tenant_id is None:
        return f"{job} failed, and FLEXORAA_OPERATIONS_TENANT names nobody to tell"
    action = failure_action(tenant_id, job, run_id, steps, failed_at, notices.lifetime(RUN_FAILURE, failed_at))
    return f"{job} failed: {'told' if outbox.add([action], failed_at) else 'told already in this hour'}"
