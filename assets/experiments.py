"""Experiments as assets: results and decisions from the moments, kills, and pages to read.

Here belongs when each is made, and the order of watching: publish, kill, tell. Not here: what is concluded (`assets.experiment_results`),
who is killed (`core.plans`), where anything is kept (`core.experiments`).
"""

from collections.abc import Iterator

import dagster as dg

from core.experiments import ExperimentDecision, ExperimentResult, Experiments, Kill, Pages, standing
from core.plans import plan_kills
from core.ports import Clock
from core.reading import Readings
from core.warehouse_ports import Warehouse

_OWNERS = ["team:product"]
_KILLS = dg.AssetKey(["ops", "experiment_kills"])
MONITOR = "ab_monitor"
"""The sensor, and who decides in the journal where no person did."""


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["marts", "exp_results"],
            deps=[dg.AssetKey(["marts", "exp_moments"]), dg.AssetKey(["marts", "exp_findings"])],
            description="One row per version of an experiment, treatment, metric and look: effect, intervals, p-values, decision.",
            group_name="experiments",
            owners=_OWNERS,
        ),
        dg.AssetSpec(
            ["marts", "exp_decisions"],
            deps=[dg.AssetKey(["marts", "exp_moments"])],
            description="One row per version of an experiment: what is to be served, why, and a verdict in plain words.",
            group_name="experiments",
            owners=_OWNERS,
        ),
    ],
    name="experiment_results",
    op_tags={"dagster/priority": "10"},  # what is published waits for it
)
def experiment_results(
    warehouse: dg.ResourceParam[Warehouse],
    experiments: dg.ResourceParam[Experiments],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None]]:
    """From moments to results, all experiments in one pass."""
    from assets.experiment_results import conclude  # here: numpy and scipy, 0.6 s that a code location does not need

    now = clock.now()
    found = conclude(experiments.configured(now), warehouse.rows("exp_moments"), experiments.timezones(), now)
    warehouse.write({ExperimentResult: found.results, ExperimentDecision: found.decisions})
    yield dg.MaterializeResult(asset_key=["marts", "exp_results"], metadata={"rows": len(found.results)})
    yield dg.MaterializeResult(asset_key=["marts", "exp_decisions"], metadata={"rows": len(found.decisions)})


def watch(experiments: Experiments, cursor: str, clock: Clock) -> tuple[list[Kill], str]:
    """Kill whatever the newest publication says must not go on; returns the kills that were new, and the next cursor."""
    now = clock.now()
    newest = standing(experiments.verdicts(now))
    killed = {key for key, verdict in newest.items() if verdict.verdict == "killed"}
    kills, cursor = plan_kills(cursor, experiments.published(), experiments.configured(now), killed, now)
    return [each for each in kills if experiments.kill(each, now, MONITOR)], cursor


@dg.asset(key=_KILLS, deps=[dg.AssetKey(["serving", "marts"])], group_name="experiments", kinds={"postgres"}, owners=_OWNERS)
def experiment_kills(experiments: dg.ResourceParam[Experiments], clock: dg.ResourceParam[Clock]) -> dg.MaterializeResult[None]:
    """Experiments that must not go on serve control from this moment. The sensor does the same between runs; whoever comes first wins."""
    kills, _ = watch(experiments, "", clock)
    return dg.MaterializeResult(
        metadata={"new_kills": len(kills), "kills": [f"{each.tenant_id} {each.experiment_id}: {each.reason}" for each in kills]}
    )


@dg.asset_check(asset=_KILLS, name="no_experiment_is_killed")
def no_experiment_is_killed(experiments: dg.ResourceParam[Experiments], clock: dg.ResourceParam[Clock]) -> dg.AssetCheckResult:
    """Warns while an experiment is killed, with the reason of each, until a manager resumes it or it leaves the configuration."""
    now = clock.now()
    declared = {
        (each.tenant_id, each.experiment_id)
        for each in experiments.configured(now).variants
        if each.valid_to is None or now < each.valid_to
    }
    newest = [each for key, each in sorted(standing(experiments.verdicts(now)).items()) if each.verdict == "killed" and key in declared]
    told = [f"{each.tenant_id} {each.experiment_id} since {each.decided_at.isoformat()}, {each.cause}: {each.reason}" for each in newest]
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"killed": told, "evidence": [f"{each.experiment_id}: {each.evidence}" for each in newest]},
        description="no experiment is killed" if not told else "; ".join(told),
    )


@dg.asset(
    key=dg.AssetKey(["reports", "experiments"]),
    deps=[_KILLS, dg.AssetKey(["marts", "exp_channels"])],
    group_name="experiments",
    kinds={"html"},
    owners=_OWNERS,
)
def experiment_reports(
    warehouse: dg.ResourceParam[Warehouse],
    experiments: dg.ResourceParam[Experiments],
    pages: dg.ResourceParam[Pages],
    readings: dg.ResourceParam[Readings],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """A page for each experiment, with nothing from any other address."""
    from assets.experiment_pages import Said, pages_of  # here: jinja2, numpy and the pages, which a code location does not need
    from assets.pages.menu import TOPICS
    from ml.reports.site.parts import Site

    now = clock.now()
    results, decisions, channels = (warehouse.rows(mart) for mart in ("exp_results", "exp_decisions", "exp_channels"))
    site = Site(TOPICS, experiments.timezones(), now, readings.dagster_url())
    made = pages_of(Said(results, decisions, channels, experiments.verdicts(now)), site)
    pages.write(made)
    names = [name for name in made if name.endswith(".html")]
    links = {name: dg.MetadataValue.url(f"{readings.reports_url()}/{name}") for name in names[:20]}
    return dg.MaterializeResult(metadata={"pages": len(names), **links})
