"""Training: one fit over all tenants' leads, a version for each tenant.

Here belong what a version holds, its thresholds and its card. Not here: the fit (`ml.training`), who becomes champion
(`assets.model_governance`).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from assets.model_rows import CONTRACT, MODEL, Snapshot, training_rows
from core.model_ports import Registry
from core.models import ModelPolicy, ModelVersion
from ml import model_card, model_file
from ml.thresholds import FEWEST, Costs, Threshold, cheapest
from ml.training import Judged, NotEnough, Trained, train

OWNER = "team:data"


class Made(NamedTuple):
    """What training came to for one tenant: a version, or why there is none. `judged` are all tenants' later rows."""

    tenant_id: str
    version: ModelVersion | None
    reason: str
    judged: Judged | None = None


def train_all(registry: Registry, found: Snapshot, policy: ModelPolicy, as_of: datetime, by: str, tenants: Sequence[str]) -> list[Made]:
    """Fit to every known outcome of every tenant, and store a version for each of `tenants`.

    Raises:
        RegistryError: a version cannot be stored.
    """
    trained = fit(found)
    if isinstance(trained, NotEnough):
        return [Made(each, None, trained.reason) for each in tenants]
    until = _moment(found.moment[~np.isnan(found.outcome)].max()) + timedelta(microseconds=1)
    return [_store(registry, trained, policy, as_of, by, until, each) for each in tenants]


def fit(found: Snapshot, *, is_judged: bool = True) -> Trained | NotEnough:
    """The fit to all rows whose outcome is known."""
    if not found.rows:
        return NotEnough("there is no lead yet")
    points = np.array([np.nan if row["score"] is None else float(row["score"]) for row in found.rows])
    return train(CONTRACT, training_rows(found), points, is_judged=is_judged)


def _store(registry: Registry, trained: Trained, policy: ModelPolicy, as_of: datetime, by: str, until: datetime, tenant_id: str) -> Made:
    model = trained.models.get(tenant_id, trained.models[""])
    data, sha256 = model_file.to_bytes(model)
    hot = _threshold(trained.judged, tenant_id, Costs(policy.hot_wasted, policy.hot_missed))
    warm = _threshold(trained.judged, tenant_id, Costs(policy.warm_wasted, policy.warm_missed))
    positives = sum(trained.positives.values())
    about = {
        "model": MODEL, "tenant": tenant_id, "owner": OWNER, "purpose": f"won within {policy.horizon_days} days of the moment",
        "trained_at": as_of.isoformat(), "trained_by": by, "fitted_until": until.isoformat(), "file_sha256": sha256,
        "features_sha256": CONTRACT.sha256, "own_positives": trained.positives.get(tenant_id, 0),
    }  # fmt: skip
    groups = {"tenant": np.where(trained.judged.tenant == tenant_id, tenant_id, "others")} if trained.judged else {}
    card = model_card.card(trained, about, groups) | {"features": [each.name for each in CONTRACT.features]}
    card["thresholds"] = {"HOT": _told(hot), "WARM": _told(warm)}
    draft = ModelVersion(
        tenant_id=tenant_id,
        model=MODEL,
        version=0,
        sha256=sha256,
        features_sha256=CONTRACT.sha256,
        place="",
        rows=trained.rows,
        positives=positives,
        own_positives=trained.positives.get(tenant_id, 0),
        hot_threshold=max(hot.value, warm.value),
        warm_threshold=min(hot.value, warm.value),
        horizon_days=policy.horizon_days,
        card=json.dumps(card),
        fitted_until=until,
        trained_at=as_of,
        trained_by=by,
    )
    return Made(tenant_id, registry.store(draft, data, model_card.page(card)), "", trained.judged)


def _threshold(judged: Judged | None, tenant_id: str, costs: Costs) -> Threshold:
    """By the tenant's own later rows where there are enough, else by everybody's, else by the costs alone."""
    if judged is None:
        return Threshold(costs.fair, None, None, None, "nothing to learn it from: it follows from the costs")
    own = judged.tenant == tenant_id
    is_own = min(judged.outcome[own].sum(), (1 - judged.outcome[own]).sum()) >= FEWEST
    rows = own if is_own else np.ones(len(own), dtype=bool)
    return cheapest(judged.outcome[rows], judged.probability[rows], costs, np.random.default_rng(0))


def _told(threshold: Threshold) -> dict[str, Any]:
    return {"value": threshold.value, "low": threshold.low, "high": threshold.high, "cost": threshold.cost, "reason": threshold.reason}


def _moment(stamp: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(stamp))
