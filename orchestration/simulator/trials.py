"""Each tenant's experiment: people who meet one of two variants, and what they do then. One tenant's does harm, which must be found.

Here belongs that traffic, all of it from the operating system's own feed, by people who come no other way. Not here: how experiments are
judged (`ml.experiments`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from core.sources.platform import Contact, ExperimentExposed, ExperimentObserved
from orchestration.simulator.business import Business
from orchestration.simulator.post import Post
from orchestration.simulator.truth import TenantTruth

METRIC = "visit_booked"
_HORIZON_DAYS = 60


class Trial(NamedTuple):
    """An experiment: its id, its two variants, and how many of ten people do in each what it is for."""

    id: str
    control: str
    treatment: str
    control_of_ten: int
    treatment_of_ten: int

    @property
    def is_harmful(self) -> bool:
        """Whether it must be killed."""
        return self.treatment_of_ten < self.control_of_ten - 4


TRIALS = (
    Trial("persuasion_scarcity", "neutral", "scarcity", 8, 1),
    Trial("prompt_greeting", "short", "personal", 5, 6),
    Trial("template_recovery", "recovery_1", "recovery_2", 6, 5),
    Trial("model_version", "aria_small", "aria_large", 5, 5),
)
"""By tenant, over and over: on a persuasion principle, a prompt, a template, a model's version."""
PEOPLE = 60
LEAST_LEADS = 40
"""Simulations with fewer leads have no experiments, as they have not every story."""


def trial_of(business: Business) -> Trial:
    """The tenant's."""
    return TRIALS[business.index % len(TRIALS)]


def trial_entry(business: Business, start: datetime) -> dict[str, Any]:
    """As the tenants file declares it."""
    trial = trial_of(business)
    return {
        "id": trial.id,
        "primary_metric": METRIC,
        "minimum_effect": 0.2,
        "horizon_days": _HORIZON_DAYS,
        "guardrails": [{"metric": "complaint"}],
        "variants": [
            {"name": trial.control, "allocation_percent": 50, "is_control": True},
            {"name": trial.treatment, "allocation_percent": 50},
        ],
        "valid_from": start.isoformat().replace("+00:00", "Z"),
    }


def live(business: Business, post: Post, truth: TenantTruth, rng: Random, times: tuple[datetime, datetime], phones: Iterator[str]) -> None:
    """All of it: people one after the other from the first day to the last, every second one in treatment; `phones` are nobody else's."""
    start, end = times
    trial = trial_of(business)
    step = (end - start - timedelta(days=1)) / PEOPLE
    for number in range(PEOPLE):
        is_treated, tenth = bool(number % 2), number // 2 % 10
        met = start + timedelta(hours=6) + step * number + timedelta(seconds=rng.randrange(600))
        contact = Contact("phone", next(phones))
        _expose(business, post, contact, trial, trial.treatment if is_treated else trial.control, met)
        if tenth < (trial.treatment_of_ten if is_treated else trial.control_of_ten):
            post.platform(
                ExperimentObserved(
                    id=post.next_id("observed"),
                    account_id=business.workspace,
                    occurred_at=met + timedelta(minutes=40),
                    contact=contact,
                    experiment_id=trial.id,
                    metric=METRIC,
                    value=1.0,
                )
            )
    truth.leads += PEOPLE
    if trial.is_harmful:
        truth.killed.append(trial.id)


def _expose(business: Business, post: Post, contact: Contact, trial: Trial, variant: str, met: datetime) -> None:
    post.platform(
        ExperimentExposed(
            id=post.next_id("exposed"),
            account_id=business.workspace,
            occurred_at=met,
            contact=contact,
            experiment_id=trial.id,
            variant=variant,
        )
    )
