"""Random experiments of a tenant: two versions, units by lead and by conversation, repeated and crossing exposures, values of every kind."""

import random
from datetime import datetime, timedelta
from typing import Any

from core.reference import Experiment, ExperimentMetric
from tests.dbt.history_base import CHANGE, START, History

_DAY = 86_400
_MICRO = timedelta(microseconds=1)
_METRICS: tuple[dict[str, Any], ...] = (
    {"metric": "replied", "role": "primary", "kind": "proportion", "event": "replied", "window_seconds": 5 * _DAY},
    {"metric": "opt_outs", "role": "guardrail", "kind": "proportion", "event": "@opted_out", "window_seconds": 30 * _DAY},
    {"metric": "won", "role": "other", "kind": "proportion", "event": "@won", "window_seconds": 30 * _DAY},
    {"metric": "spend", "role": "other", "kind": "mean", "event": "spend", "window_seconds": 7 * _DAY, "covariate_seconds": 10 * _DAY},
    {"metric": "cost", "role": "cost", "kind": "ratio", "event": "spend", "denominator_event": "@inbound", "window_seconds": 9 * _DAY},
    {"metric": "tokens", "role": "other", "kind": "mean", "event": "@tokens", "window_seconds": 9 * _DAY, "covariate_seconds": 5 * _DAY},
)


def add_experiments(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant: `by_lead` of two versions, `by_talk` whose unit is the conversation, and one that is not declared."""
    for experiment, unit, spans in (
        ("by_lead", "lead", ((START, CHANGE), (CHANGE, None))),
        ("by_talk", "conversation", ((START + timedelta(days=2), None),)),
    ):
        for valid_from, valid_to in spans:
            common: dict[str, Any] = {"tenant_id": tenant, "experiment_id": experiment, "valid_from": valid_from, "valid_to": valid_to}
            for variant, share in (("control", 500_000), ("treated", 500_000)):
                made.refer(
                    Experiment(
                        **common,
                        variant=variant,
                        is_control=variant == "control",
                        allocation_ppm=share,
                        primary_metric="replied",
                        unit=unit,
                    )
                )
            made.refer(*(ExperimentMetric(**common, **metric) for metric in _METRICS))
    points = [row for row in made.reference["lead_points"] if row.tenant_id == tenant]
    for number, held in enumerate(rng.sample(points, min(len(points), 60))):
        for experiment in ("by_lead", "by_talk", "undeclared"):
            if rng.random() < (0.1 if experiment == "undeclared" else 0.8):
                _live(made, tenant, experiment, f"{experiment}_{number}", held.point_id, held.valid_from, rng)


def _live(made: History, tenant: str, experiment: str, name: str, point: str, since: datetime, rng: random.Random) -> None:
    """Exposures and values of one contact point in one experiment; many at the very instants at which a window begins or ends."""
    exposed_at = since + timedelta(seconds=rng.randint(0, 3 * _DAY))
    own = rng.choice(("control", "treated", "treated", "control", "control", "treated", "mistyped"))

    def tell(kind: str, at: datetime, **more: Any) -> None:
        key = f"x{rng.getrandbits(32):08x}:{name}"
        made.add("experiment_events", tenant, key, at, kind=kind, contact_point_id=point, experiment_id=experiment, **more)

    for repeat in range(rng.choice((1, 1, 2, 3))):
        other = rng.random() < 0.08 and repeat > 0
        tell("exposed", exposed_at + timedelta(hours=7 * repeat), variant="control" if other and own != "control" else own)
    for _ in range(rng.randint(0, 9)):
        at = exposed_at + rng.choice(
            (
                -_MICRO, timedelta(), _MICRO, timedelta(days=5) - _MICRO, timedelta(days=5), timedelta(days=7) - _MICRO, timedelta(days=7),
                timedelta(days=-10), timedelta(days=-10) - _MICRO, timedelta(seconds=rng.randint(-12 * _DAY, 12 * _DAY)),
            )
        )  # fmt: skip
        metric = rng.choice(("replied", "spend", "spend", "ignored"))
        values = (0.0, 1.0) if metric == "replied" else (1e8 + rng.gauss(0, 1), round(rng.expovariate(0.01), 2), -2.5, 0.000015)
        made.add("token_usage", tenant, f"u{rng.getrandbits(32):08x}:{name}", at, kind="message", quantity=rng.randint(1, 40),
                 contact_point_id=point)  # fmt: skip
        tell("observed", at, metric=metric, value=rng.choice(values) if rng.random() < 0.98 else 1e11)
