"""Leads with a planted truth, for tests of models: who converts is drawn from a probability that the test knows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ml.features import Contract, Feature
from ml.training import Rows

CONTRACT = Contract((Feature("budget", "number", "moment"), Feature("speed", "number", "moment"), Feature("intent", "category", "moment")))


class Planted(NamedTuple):
    """Rows, and the true probability of each."""

    rows: Rows
    truth: NDArray[np.float64]


def planted(count: int, seed: int = 0, *, shift: float = 0.0, tenants: dict[str, float] | None = None, flip: bool = False) -> Planted:
    """`tenants` gives each one's own level; `flip` turns the meaning of budget round."""
    rng = np.random.default_rng(seed)
    names = list(tenants or {"t": 0.0})
    tenant = np.array(names)[rng.integers(0, len(names), count)]
    budget, speed = rng.normal(size=count), rng.exponential(size=count)
    intent = np.array(["buy", "ask", "rent"])[rng.integers(0, 3, count)]
    level = np.array([(tenants or {}).get(each, 0.0) for each in tenant])
    z = shift - 0.7 + level + (-1.2 if flip else 1.2) * budget + 0.8 * (intent == "buy") * speed - 0.4 * (intent == "rent")
    truth = expit(z)
    moment = np.arange(count, dtype=float)
    columns: dict[str, Any] = {
        "budget": np.where(rng.random(count) < 0.05, np.nan, budget),
        "speed": speed,
        "intent": np.where(rng.random(count) < 0.03, None, intent.astype(object)),
    }
    return Planted(Rows(columns, moment, (rng.random(count) < truth).astype(float), moment + 0.5, tenant), truth)
