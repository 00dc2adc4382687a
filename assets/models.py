"""Models of leads as assets and jobs: what they say of every open lead, training, and the answer to drift.

Here belongs when each is made and with which ports. Not here: predictions (`assets.model_scoring`), versions (`assets.model_training`),
champions (`assets.model_governance`), the measure of drift (`assets.drift`).
"""

from datetime import datetime
from typing import Any

import dagster as dg

from assets.owners import BY_PRODUCT
from core.drift_ports import Baselines
from core.model_ports import Registry, Scorer
from core.models import Prediction
from core.ports import Clock
from core.warehouse_ports import Warehouse

_OWNERS = ["team:data"]
PREDICTIONS = dg.AssetKey(["marts", "fct_predictions"])
_FEATURES, _OUTCOMES = "ftr_leads", "fct_lead_outcomes"


@dg.asset(
    key=PREDICTIONS,
    deps=[dg.AssetKey(["marts", _FEATURES]), dg.AssetKey(["marts", _OUTCOMES]), dg.AssetKey(["marts", "dim_lead_aliases"])],
    group_name="models",
    owners=_OWNERS,
)
def predictions(
    warehouse: dg.ResourceParam[Warehouse],
    registry: dg.ResourceParam[Registry],
    scorer: dg.ResourceParam[Scorer],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """One row per version, lead and instant that it scored, with the outcome once it is known; none before the first champion."""
    now = clock.now()
    if not registry.changes(now):
        warehouse.write({Prediction: []})
        return dg.MaterializeResult(metadata={"rows": 0, "state": "no model is in service: `flexoraa model train` makes one"})
    from assets.model_scoring import score_all, told, with_outcomes  # here: numpy, scipy: 1 s

    scored = score_all(registry, scorer, now)
    new = registry.log(scored.predictions)
    rows = with_outcomes(registry.logged(now), registry.versions(), warehouse.rows(_OUTCOMES), warehouse.rows("dim_lead_aliases"), now)
    warehouse.write({Prediction: rows})
    known = sum(each.outcome is not None for each in rows)
    counts = {f"scored_by_{role}": count for role, count in told(scored).items()}
    return dg.MaterializeResult(metadata={"rows": len(rows), "new": new, "with_outcome": known, **counts, "refused": scored.refused})


@dg.asset_check(asset=PREDICTIONS, name="no_model_is_refused")
def no_model_is_refused(registry: dg.ResourceParam[Registry], clock: dg.ResourceParam[Clock]) -> dg.AssetCheckResult:
    """Fails while the file of a version in service is gone, was changed or holds what is not allowed."""
    now = clock.now()
    wrong = []
    if registry.changes(now):
        from assets.model_scoring import unreadable  # as above

        wrong = unreadable(registry, now)
    return dg.AssetCheckResult(
        passed=not wrong, metadata={"refused": wrong}, description="; ".join(wrong) or "every model in service can be read"
    )


def train_models(
    warehouse: Warehouse, registry: Registry, baselines: Baselines, as_of: datetime, by: str, tenants: list[str]
) -> list[dict[str, Any]]:
    """A version for each of these tenants from everything known at a moment, promoted where the evidence says so; told by tenant."""
    from assets.model_baselines import freeze_baseline
    from assets.model_governance import first, promote  # as above
    from assets.model_rows import MODEL, snapshot
    from assets.model_training import train_all

    policy = registry.policy(MODEL, as_of)
    found = snapshot(warehouse.rows(_FEATURES), warehouse.rows(_OUTCOMES), as_of, policy.horizon_days)
    answers: list[dict[str, Any]] = []
    for made in train_all(registry, found, policy, as_of, by, tenants):
        if made.version is None:
            answers.append({"tenant_id": made.tenant_id, "version": None, "state": "not_trained", "reason": made.reason})
            continue
        baseline = freeze_baseline(baselines, made, as_of)
        verdict = first(registry, made, as_of, by) or promote(registry, found, made.version, as_of, by)
        state = "champion" if verdict.kind == "promote" else "challenger"
        quality = None if made.judged is None else {name: each.auc for name, each in made.judged.of.items()}
        told = {"tenant_id": made.tenant_id, "version": made.version.version, "state": state, "reason": verdict.reason}
        answers.append(told | {"auc": quality, "baseline": baseline})
    registry.mirror()
    return answers


def answer_drift(  # noqa: PLR0913 — one parameter a port or a fact
    warehouse: Warehouse,
    registry: Registry,
    baselines: Baselines,
    tenant_id: str,
    model: str,
    severity: Any,
    reason: str,
    as_of: datetime,
) -> dict[str, Any]:
    """What became of drift: the verdict, its reason and the champion after it."""
    from assets.model_baselines import freeze_baseline  # as above
    from assets.model_governance import AUTOMATIC, respond
    from assets.model_rows import snapshot
    from assets.model_training import Made, train_all
    from core.models import champions

    policy = registry.policy(model, as_of)
    found = snapshot(warehouse.rows(_FEATURES), warehouse.rows(_OUTCOMES), as_of, policy.horizon_days)

    def train() -> Made:
        made = train_all(registry, found, policy, as_of, AUTOMATIC, [tenant_id])[0]
        freeze_baseline(baselines, made, as_of)
        return made

    verdict = respond(registry, found, (tenant_id, model), severity, reason, as_of, train)
    now = champions(registry.changes())[tenant_id, model]
    if verdict.kind in {"roll_back", "promote"}:
        registry.mirror()
    return {"tenant_id": tenant_id, "model": model, "verdict": verdict.kind, "reason": verdict.reason, "champion": now.version}


@dg.op(description="One version for each tenant from everything known; it becomes champion where it is significantly better.")
def train_all_tenants(
    context: dg.OpExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    registry: dg.ResourceParam[Registry],
    baselines: dg.ResourceParam[Baselines],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> None:
    """Once a week."""
    answers = train_models(warehouse, registry, baselines, clock.now(), "model_training", list(registry.tenants()))
    context.add_output_metadata({each["tenant_id"]: f"{each['state']}: {each['reason']}" for each in answers})


@dg.job(
    tags=BY_PRODUCT,
    description="One version of the lead model for each tenant from everything known; champion where it is significantly better.",
)
def model_training() -> None:
    """One step."""
    train_all_tenants()


class DriftFound(dg.Config):
    """Drift of a tenant's champion: how severe (ok, warn, critical), why, and at which moment (ISO 8601; empty: now)."""

    tenant_id: str = ""
    model: str = "lead_conversion"
    severity: str = "ok"
    reason: str = ""
    as_of: str = ""


@dg.op(description="Critical drift: the last good version if it is better, else a retrained one if that is, else the champion stays; told.")
def answer_to_drift(
    context: dg.OpExecutionContext,
    config: DriftFound,
    warehouse: dg.ResourceParam[Warehouse],
    registry: dg.ResourceParam[Registry],
    baselines: dg.ResourceParam[Baselines],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> None:
    """On demand, and from the sensor of drift."""
    moment = datetime.fromisoformat(config.as_of) if config.as_of else clock.now()
    context.add_output_metadata(
        answer_drift(warehouse, registry, baselines, config.tenant_id, config.model, config.severity, config.reason, moment)
    )


@dg.job(
    tags=BY_PRODUCT,
    description="Answer drift of a tenant's champion: launch it with the severity and the reason.",
    config={"ops": {"answer_to_drift": {"config": {"tenant_id": "TENANT", "severity": "critical", "reason": "by hand"}}}},
)
def model_rollback() -> None:
    """One step."""
    answer_to_drift()
