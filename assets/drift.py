"""Drift as assets: a week of every model in service against its baseline, and the page to read.

Here belongs when each is made, its partitions and its check. Not here: what is concluded (`assets.model_drift`), what follows from it
(`core.models`), where anything is kept (`core.drift_ports`).
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from assets.owners import BY_PRODUCT
from core.drift_ports import Baselines, DriftJournal, DriftVerdict, ScoredRows, Week
from core.experiments import Pages
from core.ports import Clock
from core.warehouse_ports import Warehouse

_OWNERS = ["team:data"]
_PERFORMANCE, _DRIFT = dg.AssetKey(["marts", "fct_model_performance"]), dg.AssetKey(["marts", "fct_model_drift"])
_REPORT = dg.AssetKey(["reports", "drift"])

MODELS = dg.DynamicPartitionsDefinition(name="tenant_models")
"""`tenant:model`; the schedule adds those that have a baseline."""

WEEKS = dg.WeeklyPartitionsDefinition(start_date="2025-01-06", day_offset=1, timezone="UTC", end_offset=1)
"""From Monday to Monday, UTC, the week under way included: it may be looked at before it ends."""

PARTITIONS = dg.MultiPartitionsDefinition({"week": WEEKS, "model": MODELS})


def partition_of(tenant_id: str, model: str) -> str:
    """The partition of a tenant's model."""
    return f"{tenant_id}:{model}"


def _asked(context: dg.AssetExecutionContext) -> tuple[Week, tuple[str, str]]:
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 — the definition above says so
    tenant_id, _, model = key.keys_by_dimension["model"].partition(":")
    return Week.of(date.fromisoformat(key.keys_by_dimension["week"])), (tenant_id, model)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            _PERFORMANCE,
            deps=[dg.AssetKey(["marts", "ftr_leads"])],
            description="One row per version of a model and week: the verdict, performance on known outcomes, the estimate without.",
            group_name="models",
            owners=_OWNERS,
        ),
        dg.AssetSpec(
            _DRIFT,
            deps=[dg.AssetKey(["marts", "ftr_leads"])],
            description="One row per version of a model, week, segment and column: how far it is from its baseline, and whether by chance.",
            group_name="models",
            owners=_OWNERS,
        ),
    ],
    name="model_drift",
    partitions_def=PARTITIONS,
)
def model_drift(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    scored_rows: dg.ResourceParam[ScoredRows],
    baselines: dg.ResourceParam[Baselines],
    drift_journal: dg.ResourceParam[DriftJournal],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None]]:
    """One week of one tenant's model, all its versions in service."""
    from assets.model_drift import judge  # here: numpy and scipy, 0.6 s that a code location does not need

    week, only = _asked(context)
    state, judged = judge(warehouse, scored_rows, baselines, drift_journal, week, clock.now(), only)
    told = {f"version {each.version}": f"{each.severity}: {each.reason}" for each in judged}
    yield dg.MaterializeResult(asset_key=_PERFORMANCE, metadata={"state": state, **told})
    yield dg.MaterializeResult(asset_key=_DRIFT, metadata={"state": state})


def alarms(verdicts: Sequence[DriftVerdict]) -> list[DriftVerdict]:
    """Of each version's newest judged week the newest look, where it is not ok."""
    newest = {each.served: each for each in sorted(verdicts, key=lambda each: (each.week_date, each.look)) if each.state == "judged"}
    return [each for _, each in sorted(newest.items()) if each.severity != "ok"]


@dg.asset_check(asset=_PERFORMANCE, name="no_model_drifts")
def no_model_drifts(drift_journal: dg.ResourceParam[DriftJournal]) -> dg.AssetCheckResult:
    """Fails while the newest week of a model is critical, warns while it warns; with every reason."""
    found = alarms(drift_journal.verdicts())
    told = [f"{'/'.join(map(str, each.served))}, week of {each.week_date}: {each.severity}: {'; '.join(each.reasons)}" for each in found]
    is_critical = any(each.severity == "critical" for each in found)
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if is_critical else dg.AssetCheckSeverity.WARN,
        metadata={"drifting": told},
        description="no model drifts" if not told else "; ".join(told),
    )


@dg.asset(key=_REPORT, deps=[_DRIFT], partitions_def=PARTITIONS, group_name="models", kinds={"html"}, owners=_OWNERS)
def drift_reports(
    context: dg.AssetExecutionContext,
    scored_rows: dg.ResourceParam[ScoredRows],
    baselines: dg.ResourceParam[Baselines],
    drift_journal: dg.ResourceParam[DriftJournal],
    pages: dg.ResourceParam[Pages],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """Evidently's page of a week for each version, beside our verdict; with nothing from any other address."""
    from assets.drift_pages import pages_of  # here: evidently, 14 s

    week, only = _asked(context)
    made = pages_of(scored_rows, baselines, drift_journal, week, clock.now(), only)
    pages.write(made)
    return dg.MaterializeResult(metadata={"pages": dg.MetadataValue.md("\n".join(made) or "no model is in service")})


class DriftConfig(dg.Config):
    """What to look at: a day of the week (else that of now), a tenant and a model (else all)."""

    day: str = ""
    tenant_id: str = ""
    model: str = ""


@dg.op(description="A week of every model, or of those that the config names, against its baseline; as a look of its own.")
def look_at_models(  # noqa: PLR0913 — one parameter a port
    context: dg.OpExecutionContext,
    config: DriftConfig,
    warehouse: dg.ResourceParam[Warehouse],
    scored_rows: dg.ResourceParam[ScoredRows],
    baselines: dg.ResourceParam[Baselines],
    drift_journal: dg.ResourceParam[DriftJournal],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> None:
    """On demand."""
    from assets.model_drift import judge  # as above

    now = clock.now()
    try:
        week = Week.of(date.fromisoformat(config.day) if config.day else now.date())
    except ValueError as error:
        raise dg.Failure(description=f"{config.day!r} is no date, such as 2026-11-22", allow_retries=False) from error
    only = (config.tenant_id or None, config.model or None)
    state, judged = judge(warehouse, scored_rows, baselines, drift_journal, week, now, only)
    told = {f"{each.tenant_id} {each.model} {each.version}": f"{each.severity}: {each.reason}" for each in judged}
    context.log.info("drift: %s", {"state": state} | told)
    context.add_output_metadata({"state": state} | told)


@dg.job(
    tags=BY_PRODUCT,
    description="Drift on demand: launch it with a day, a tenant and a model, or with none for all models in this week.",
    config={"ops": {"look_at_models": {"config": {"day": "", "tenant_id": "", "model": ""}}}},
)
def drift_on_demand() -> None:
    """One look."""
    look_at_models()
