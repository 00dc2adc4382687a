"""Claim, gate, send, record: how wanted actions become effects.

Here belongs the loop over the ports and its order, which is what makes an effect happen once. Not here: the gate's rules (`core.gate`),
whose turn it is (`core.lanes`), the ways out (`orchestration.resources.senders`), Dagster (`assets.actions`).
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import NamedTuple

from core.action_ports import Outbox, Receipts, Sender
from core.actions import Delivery, Outcome
from core.gate import Standing, may_send, tag_of
from core.plans import plan_requests
from core.ports import Clock
from core.reroutes import reroute

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
    "quick_booking",
    "routing",
    "escalation",
    "service_burn",
)
"""Rules whose requests become actions; a sensor each."""


PATIENCE = timedelta(seconds=5)
"""A round waits this long for a lane's next token; a longer pause, such as an open breaker's, is left to a later round."""


class Delivered(NamedTuple):
    """What one round of deliveries came to."""

    outcomes: Counter[tuple[str, str]]
    """By (rule, state)."""
    receipts: int
    refreshed: Mapping[str, int]
    """What changed before anything was sent: abandoned, settled by a receipt, released."""


def decide(outbox: Outbox, rule: str, cursor: str, clock: Clock) -> tuple[int, str]:
    """Put the due requests of a rule in the outbox; returns how many were new, and the next cursor."""
    now = clock.now()
    observed = outbox.published(rule, now)
    plan = plan_requests(cursor, observed, outbox.known([each.action_id for each in observed]), now)
    return outbox.add(plan.actions, now), plan.cursor


def deliver(outbox: Outbox, senders: Mapping[str, Sender], receipts: Receipts, clock: Clock, worker: str) -> Delivered:
    """Deliver everything that is ready, as fast as its lanes allow: each tried and recorded before its hand takes the next.

    So a worker that dies leaves at most one action a hand of which nobody knows whether it was sent. Hands are threads: a provider
    answers in 100 to 300 ms, so one hand alone would send 5 a second where 80 are allowed.
    """
    round_ = _Round(outbox, senders, receipts, clock, worker)
    refreshed = outbox.refresh(clock.now())
    if outbox.hands == 1:
        round_.work()
    else:
        with ThreadPoolExecutor(outbox.hands, thread_name_prefix="deliver") as pool:
            for done in [pool.submit(round_.work) for _ in range(outbox.hands)]:
                done.result()
    return Delivered(round_.outcomes, receipts.close(), refreshed)


@dataclass
class _Round:
    outbox: Outbox
    senders: Mapping[str, Sender]
    receipts: Receipts
    clock: Clock
    worker: str
    sleep: Callable[[float], None] = time.sleep
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    idle: int = 0
    lock: Lock = field(default_factory=Lock)
    counting: Lock = field(default_factory=Lock)
    claimed: deque[Delivery] = field(default_factory=deque)

    def work(self) -> None:
        """One hand: until nothing is ready that may go soon."""
        while True:
            delivery = self._next()
            if delivery is not None:
                self._settle(*self._try(delivery))
                continue
            pause = self.outbox.wait(self.clock.now())
            if pause is None or pause > PATIENCE:
                return
            self.sleep(max(pause.total_seconds(), 0.005))

    def _next(self) -> Delivery | None:
        """Who finds nothing claims for all hands that wait: one commit, 1 to 20 ms by the disk, for all of them."""
        with self.counting:
            self.idle += 1
        with self.lock:
            if not self.claimed:
                self.claimed.extend(self.outbox.claim(self.worker, self.clock.now(), max(1, self.idle)))
            with self.counting:
                self.idle -= 1
            return self.claimed.popleft() if self.claimed else None

    def _try(self, delivery: Delivery) -> tuple[Delivery, Outcome]:
        standing, now = self.outbox.standing(delivery, self.clock.now()), self.clock.now()
        refused = may_send(delivery.action, standing, now)
        if refused is not None:
            self._reroute(delivery, standing, refused)
            return delivery, refused
        if (
            standing.point_id is not None and standing.point_id != delivery.action.point_id
        ):  # the number changed, and the lead moved with it
            delivery = delivery._replace(action=delivery.action._replace(point_id=standing.point_id))
        delivery = delivery._replace(tag=tag_of(delivery.action, standing, now))
        sender = self.senders.get(delivery.action.channel)
        if sender is None:
            return delivery, Outcome("rejected", f"no way out is built for the channel {delivery.action.channel!r}")
        ways = sender.ways(delivery)
        if not ways:
            return delivery, sender.send(delivery)
        aimed = self.outbox.spread(delivery, ways)
        if aimed is None:
            return delivery, Outcome("unknown", "the lease was lost before anything was sent")
        return aimed, self.senders[aimed.action.channel].send(aimed)

    def _reroute(self, delivery: Delivery, standing: Standing, refused: Outcome) -> None:
        """Before the hold is recorded: whoever dies in between holds it again, and asks for the same."""
        now = self.clock.now()
        wanted = reroute(delivery.action, standing, now) if refused.state in {"held", "expired"} else None
        if wanted is not None:
            self.outbox.add([wanted], now)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        if outcome.provider_id is not None:
            self.receipts.note(delivery, outcome.provider_id, self.clock.now())
        if self.outbox.settle(delivery, outcome, self.clock.now()):
            self.outcomes[delivery.action.rule, outcome.state] += 1
