"""The code location: everything that Dagster knows, on one screen.

Here belongs gathering; assets lie in `assets`, their timing in `orchestration.automation` and `orchestration.sensors`.
"""

from typing import Any

import dagster as dg

from orchestration.resources.dbt import ensure_manifest

ensure_manifest()  # before assets.warehouse, which reads it

from assets import (
    actions,
    checks,
    contracts,
    days,
    dbt_docs,
    drift,
    experiments,
    identity,
    ingest,
    models,
    privacy,
    quality,
    reports,
    signals,
    warehouse,
)
from assets.catalogue import with_catalogue
from orchestration import automation, sensors
from orchestration.resources.lazy import lazy_ports, run_lock
from orchestration.resources.settings import Settings


def build_defs(**overrides: Any) -> dg.Definitions:
    """All definitions; `overrides` are resources in place of those of the installation that the environment names."""
    catalogued = with_catalogue(Settings.load().reports_url)
    return dg.Definitions(
        assets=dg.map_asset_specs(
            lambda spec: automation.with_freshness(catalogued(spec)),
            [
                ingest.lake_assets,
                identity.reference_assets,
                signals.signal_models,
                signals.message_signals,
                warehouse.warehouse_assets,
                days.days,
                dbt_docs.dbt_docs,
                experiments.experiment_results,
                models.predictions,
                actions.serving_marts,
                experiments.experiment_kills,
                actions.outbox_actions,
                actions.deliveries,
                experiments.experiment_reports,
                privacy.privacy_requests,
                drift.model_drift,
                drift.drift_reports,
                reports.report_site,
            ],
        ),
        asset_checks=[
            checks.conservation,
            checks.circuit_breaker,
            contracts.contracts,
            quality.lake_quality,
            experiments.no_experiment_is_killed,
            privacy.no_privacy_request_is_overdue,
            drift.no_model_drifts,
            models.no_model_is_refused,
        ],
        jobs=[*automation.JOBS, *automation.OP_JOBS],
        schedules=automation.SCHEDULES,
        sensors=sensors.SENSORS,
        resources={**lazy_ports(), "run_lock": run_lock, **overrides},
        executor=dg.in_process_executor,  # a process a step cost 40 s around 1.2 s of work here
    )


defs = build_defs()
