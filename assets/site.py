"""The whole site from the answers to its questions: every topic, for all tenants and for each, with what lies beside the pages.

Here belongs which pages there are. Not here: the assets (`assets.reports`), an experiment's own page (`assets.experiment_pages`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from assets.dbt_docs import PAGE as DBT_DOCS
from assets.pages.menu import TOPICS
from core.reading import Readings
from ml.reports.site import frame
from ml.reports.site.markdown import as_markdown
from ml.reports.site.parts import Answer, Link, Panel, Row, Scope, Site, Topic
from ml.reports.site.values import moment

STATE = "static/state.js"
"""The script by which every page knows whether the last run failed."""


_NO_DOCS = Topic(
    name="platform--models_of_the_warehouse",
    title="Models of the warehouse",
    says="dbt's documentation of every model is made once a day, at 04:11 UTC, or now by the job “document” in Dagster; it then lies here.",
    panels=(),
    assets=("reports/dbt_docs",),
)


PLOTS: Mapping[str, Sequence[str]] = {
    "marts/fct_lead_scores": ("leads/score_and_outcome", "leads/tiers"),
    "marts/fct_predictions": ("models/calibration",),
    "marts/fct_model_performance": ("models/performance",),
    "marts/fct_model_drift": ("models/drift",),
    "marts/exp_results": ("experiments/effects",),
}
"""Panels that Dagster shows with the asset that they draw."""


class Drawn(NamedTuple):
    """Panels as Markdown by their titles, and the rows of the table that they draw."""

    panels: Mapping[str, str]
    rows: int


class Made(NamedTuple):
    """Pages by their names in the reports' folder, those of each topic by its name, and questions without an answer, by `topic/panel`."""

    pages: Mapping[str, str]
    topics: Mapping[str, Sequence[str]]
    missing: Mapping[str, str]
    rows: Mapping[str, int]
    told: Mapping[str, str]
    """The first panel of each topic, and its first chart, as Markdown."""
    plots: Mapping[str, Drawn]
    """By asset, those of `PLOTS` that have any row."""


def build(readings: Readings, there: Collection[str], topics: Collection[str]) -> Made:
    """Ask everything that these topics want to know, and lay it out; `there` are pages that others made."""
    chosen = [topic for topic in TOPICS if topic.name in topics]
    asked = {f"{topic.name}/{panel.name}": panel for topic in chosen for panel in topic.panels}
    marts = {name: panel.sql for name, panel in asked.items() if panel.store == "marts"}
    counts = {asset: f"select count(*) as n from {asset.replace('/', '.')}" for asset in PLOTS}
    found = readings.marts(
        marts | counts | {"tenants": "select tenant_id, timezone from reference.tenants", "run": "select as_of from reference.run"}
    )
    answers = {**found, **readings.state({name: panel.sql for name, panel in asked.items() if panel.store == "state"})}
    as_of = next((row["as_of"] for row in found["run"].rows), None)
    zones = {row["tenant_id"]: row["timezone"] for row in found["tenants"].rows}
    site = Site(TOPICS, zones, as_of, readings.dagster_url(), beside({*there, DBT_DOCS}))
    pages: dict[str, str] = {}
    by_topic: dict[str, list[str]] = {topic.name: [] for topic in chosen}
    for topic in chosen:
        own = {panel.name: answers[f"{topic.name}/{panel.name}"] for panel in topic.panels}
        why = {panel.name: _why(panel.later, own[panel.name].missing) for panel in topic.panels}
        # apart once: to look for a tenant's rows among all, for each of 20 tenants, took as long as half of the queries
        apart = {name: _by_tenant(answer.rows) for name, answer in own.items()}
        for scope in (Scope("", "UTC"), *(Scope(tenant, zone) for tenant, zone in sorted(zones.items()))):
            rows_of = {name: apart[name].get(scope.tenant, ()) if scope.tenant else answer.rows for name, answer in own.items()}
            made = frame.page(site, topic, scope, {name: Answer(rows, why[name]) for name, rows in rows_of.items()})
            pages |= made
            by_topic[topic.name] += [name for name in made if name.endswith(".html")]
    if DBT_DOCS not in there:
        pages |= frame.page(site, _NO_DOCS, Scope("", "UTC"), {}, DBT_DOCS)
    unexpected = {name: answers[name].missing for name, panel in asked.items() if answers[name].missing and not panel.later}
    rows = {topic.name: sum(len(answers[f"{topic.name}/{panel.name}"].rows) for panel in topic.panels) for topic in chosen}
    told = {
        topic.name: _told(topic, {panel.name: answers[f"{topic.name}/{panel.name}"].rows for panel in topic.panels}) for topic in chosen
    }
    plots = {
        asset: Drawn(
            {asked[name].title: _drawn(asked[name], answers[name].rows) for name in names if name in asked and answers[name].rows},
            sum(row["n"] for row in found[asset].rows),
        )
        for asset, names in PLOTS.items()
    }
    return Made(pages | frame.shared() | {STATE: frame.run_state("ok")}, by_topic, unexpected, rows, told, plots)


def failed_run(steps: Sequence[str], run_id: str, at: datetime, dagster: str) -> str:
    """What every page is to say of a run that failed: its steps by name, since a message may hold what no page may show."""
    what = f"it ended at {', '.join(steps)}" if steps else "it did not begin"
    return frame.run_state("failed", moment(at, ZoneInfo("UTC")), what, f"Why: {dagster}/runs/{run_id}, and docs/runbook.md.")


def beside(there: Collection[str]) -> Mapping[str, Sequence[Link]]:
    """Links to pages that others made: model cards, weekly drift, dbt's documentation."""
    own: dict[str, list[Link]] = {"models": [], "platform": []}
    for name in sorted(there):
        folder, _, file = name.rpartition("/")
        title = file.removesuffix(".html").replace("--", " · ").replace("_", " ")
        if folder.split("/")[0] in {"drift", "models"}:
            own["models"].append(Link(f"{folder.split('/')[0]}: {title}", name))
        if name == DBT_DOCS:
            own["platform"].append(Link("every model of the warehouse, with columns, tests and lineage", name))
    return own


def _told(topic: Topic, rows: Mapping[str, Sequence[Row]]) -> str:
    charted = next((panel for panel in topic.panels if panel.chart and rows[panel.name]), topic.panels[0])
    panels = dict.fromkeys([topic.panels[0].name, charted.name])
    return "\n\n".join(_drawn(panel, rows[panel.name]) for panel in topic.panels if panel.name in panels)


def _drawn(panel: Panel, rows: Sequence[Row]) -> str:
    return as_markdown(panel, frame.rows_of(panel, rows, Scope("", "UTC")), ZoneInfo("UTC"))


def _by_tenant(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.get("tenant_id") or "", []).append(row)
    return found


def _why(later: str, missing: str) -> str:
    if not missing:
        return ""
    return later or f"{missing} Either nothing was built yet (“flexoraa run”), or the last build failed: Dagster's newest run says why."
