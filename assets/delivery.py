"""Claim, gate, send, record: how wanted actions become effects.

Here belongs the loop over the ports and its order, which is what makes an effect happen once. Not here: the gate's rules (`core.actions`),
the ways out (`orchestration.resources.senders`), Dagster (`assets.actions`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from core.actions import Delivery, Outcome, may_send
from core.plans import plan_requests
from core.ports import Clock, Outbox, Receipts, Sender

RULES = (
    "lead_leak",
    "cold_recovery",
    "token_threshold",
    "token_abuse",
    "token_run_out",
    "sla_warning",
    "sla_breach",
    "scheduled_message",
    "appointment_confirmation",
    "appointment_reminder",
    "no_show_follow_up",
    "routing",
    "escalation",
    "service_burn",
)
"""Rules whose requests become actions; a sensor each."""


class Delivered(NamedTuple):
    """What one round of deliveries came to."""

    outcomes: Counter[tuple[str, str]]
    """By (rule, state)."""
    receipts: int


def decide(outbox: Outbox, rule: str, cursor: str, clock: Clock) -> tuple[int, str]:
    """Put the due requests of a rule in the outbox; returns how many were new, and the next cursor."""
    now = clock.now()
    plan = plan_requests(cursor, outbox.published(rule, now), outbox.known(rule), now)
    return outbox.add(plan.actions, now), plan.cursor


def deliver(outbox: Outbox, senders: Mapping[str, Sender], receipts: Receipts, clock: Clock, worker: str) -> Delivered:
    """Deliver everything that is due, one by one: claimed, tried and recorded before the next is claimed.

    So a worker that dies leaves at most one action of which nobody knows whether it was sent. A claim costs a transaction (1 ms) where a
    try costs a request over the network, so claiming many at once would save nothing that matters.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    while claimed := outbox.claim(worker, clock.now(), 1):
        for delivery in claimed:
            outcome = _deliver_one(outbox, senders, delivery, clock)
            if outcome.provider_id is not None:
                receipts.note(delivery, outcome.provider_id, clock.now())
            if outbox.settle(delivery, outcome, clock.now()):
                outcomes[delivery.action.rule, outcome.state] += 1
    return Delivered(outcomes, receipts.close())


def _deliver_one(outbox: Outbox, senders: Mapping[str, Sender], delivery: Delivery, clock: Clock) -> Outcome:
    refused = may_send(delivery.action, outbox.standing(delivery), clock.now())
    if refused is not None:
        return refused
    sender = senders.get(delivery.action.channel)
    if sender is None:
        return Outcome("rejected", f"no way out is built for the channel {delivery.action.channel!r}")
    return sender.send(delivery)
