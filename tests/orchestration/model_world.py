"""Leads of a tenant through time with a planted truth: rows of `ftr_leads` and `fct_lead_outcomes` as the warehouse would give them.

Here belongs drawing them. Not here: what is expected of models.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from scipy.special import expit

from assets.model_rows import CONTRACT

START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=30)
Row = dict[str, Any]


def leads(tenant: str, count: int, since: datetime, until: datetime, *, seed: int, turn: float = 1.0) -> tuple[list[Row], list[Row]]:
    """One instant a lead, evenly over [since, until); `turn` multiplies what confidence and inbound messages mean."""
    rng = np.random.default_rng(seed)
    features, outcomes = [], []
    for number in range(count):
        at = since + (until - since) * number / count
        confidence, inbound = float(rng.random()), int(rng.poisson(3))
        intent = str(rng.choice(["exploring", "comparing", "ready_to_buy"]))
        row: Row = {each.name: 0 for each in CONTRACT.features} | {
            "tenant_id": tenant, "lead_id": f"{tenant}-{seed}-{number}", "trigger_event_id": f"e{seed}-{number}", "featured_at": at,
            "confidence": confidence, "inbound_count": inbound, "score": int(confidence * 60 + inbound * 5), "intent": intent, "tier": "WARM",
            "budget_minor": None if rng.random() < 0.2 else int(rng.lognormal(15, 1)), "has_objection": bool(rng.random() < 0.3),
            "age_seconds": int(rng.integers(0, 10**6)),
        }  # fmt: skip
        features.append(row)
        chance = expit(-1 + turn * (4 * (confidence - 0.5) + 0.5 * (inbound - 3) + (intent == "ready_to_buy")))
        if rng.random() < chance:
            won = at + HORIZON * float(rng.uniform(0.1, 0.9))
            outcomes.append(
                {"tenant_id": tenant, "lead_id": row["lead_id"], "event_id": f"w{seed}-{number}", "outcome": "won", "occurred_at": won}
            )
    return features, outcomes
