"""From marts to effects: published marts, wanted actions, deliveries.

Here belong those three assets. Not here: the loop (`assets.delivery`), the rules that want an action (`dbt_project/models/marts/actions`).
"""

import os

import dagster as dg

from assets import delivery
from assets.delivery import decide, deliver
from core.action_ports import Outbox, Receipts, Senders
from core.ports import Clock
from core.warehouse_ports import Publisher

_OWNERS = ["team:operations"]
_FIRST = {"dagster/priority": "10"}
"""Before whatever else is ready, such as pages of experiments: people wait for what is sent."""

RULES = (*delivery.RULES, "suspension")
"""Rules whose requests become actions; a sensor each."""

PUBLISHED = (
    "act_receipts",
    "act_requests",
    "act_suspensions",
    "dim_contact_points",
    "dim_lead_aliases",
    "dim_leads",
    "exp_decisions",
    "exp_results",
    "fct_lead_leaks",
    "fct_lead_routings",
    "fct_lead_scores",
    "fct_messaging_windows",
    "fct_recovery_candidates",
    "fct_scheduled_messages",
    "fct_service_health",
    "fct_sla_clocks",
    "fct_token_balances",
)
"""Marts that sensors, senders and tenants' readers need; everything else stays in the warehouse."""


@dg.asset(
    key=dg.AssetKey(["serving", "marts"]),
    deps=[dg.AssetKey(["marts", mart]) for mart in PUBLISHED],
    group_name="actions",
    kinds={"postgres"},
    owners=_OWNERS,
    op_tags=_FIRST,
)
def serving_marts(
    publisher: dg.ResourceParam[Publisher], clock: dg.ResourceParam[Clock], run_lock: dg.ResourceParam[None]
) -> dg.MaterializeResult[None]:
    """The marts that operations read, in Postgres schema `serving`, replaced in one transaction, apart by tenant."""
    rows = publisher.publish(PUBLISHED, clock.now())
    return dg.MaterializeResult(metadata={f"rows_{mart}": count for mart, count in rows.items()})


@dg.asset(
    key=dg.AssetKey(["ops", "outbox"]),
    deps=[serving_marts, ["ops", "experiment_kills"]],
    group_name="actions",
    kinds={"postgres"},
    owners=_OWNERS,
    op_tags=_FIRST,
)
def outbox_actions(outbox: dg.ResourceParam[Outbox], clock: dg.ResourceParam[Clock]) -> dg.MaterializeResult[None]:
    """Every wanted action that is due, once. The sensors do the same between runs; whoever comes first wins."""
    new = {rule: decide(outbox, rule, "", clock)[0] for rule in RULES}
    return dg.MaterializeResult(metadata={f"new_{rule}": count for rule, count in new.items()})


@dg.asset(
    key=dg.AssetKey(["ops", "deliveries"]), deps=[outbox_actions], group_name="actions", kinds={"http"}, owners=_OWNERS, op_tags=_FIRST
)
def deliveries(
    context: dg.AssetExecutionContext,
    outbox: dg.ResourceParam[Outbox],
    senders: dg.ResourceParam[Senders],
    receipts: dg.ResourceParam[Receipts],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult[None]:
    """What was due is sent, refused with a reason, or shown as unknown; what we sent comes back through the inbox."""
    worker = f"{context.run.run_id}/{os.getpid()}"
    done = deliver(outbox, senders, receipts, clock, worker)
    counts = {
        f"{rule}_{'to_try_again' if state == 'requested' else state}": count for (rule, state), count in sorted(done.outcomes.items())
    }
    return dg.MaterializeResult(metadata={**counts, **done.refreshed, "receipts": done.receipts})
