"""From rows of `exp_results` and `exp_decisions` to pages.

Here belongs choosing what a page says. Not here: how it looks (`ml.reports.experiments`).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from core.experiments import Key, Verdict, standing
from ml.experiments.inference import compare
from ml.experiments.results import Comparison
from ml.moments import Moments
from ml.reports import experiments as html

FOLDER = "experiments"
INDEX = "experiments.html"
Row = Mapping[str, Any]


def page_name(tenant_id: str, experiment_id: str) -> str:
    """Where the page of an experiment lies, from the reports' folder."""
    return f"{FOLDER}/{tenant_id}--{experiment_id}.html"


class Said(NamedTuple):
    """All rows that pages are made of: those of `exp_results`, `exp_decisions` and `exp_channels`, and the journal of verdicts."""

    results: Sequence[Row]
    decisions: Sequence[Row]
    channels: Sequence[Row]
    verdicts: Sequence[Verdict]


def pages_of(said: Said, as_of: datetime) -> dict[str, str]:
    """Every page by its name in the reports' folder: one an experiment, of its newest version, the index, and the script that draws."""
    results, decisions, channels, verdicts = said
    newest: dict[Key, Row] = {}
    for row in sorted(decisions, key=lambda row: row["valid_from"]):
        newest[row["tenant_id"], row["experiment_id"]] = row
    own: dict[tuple[Key, Any], list[Row]] = defaultdict(list)
    for row in sorted(results, key=lambda row: row["look_date"]):
        own[(row["tenant_id"], row["experiment_id"]), row["valid_from"]].append(row)
    last = {
        key: primary[-1]
        for (key, begin), rows in own.items()
        if begin == newest[key]["valid_from"] and (primary := [row for row in rows if row["role"] == "primary"])
    }
    switched = standing(verdicts)
    pages = [
        _page(
            row,
            own[key, row["valid_from"]],
            [each for each in verdicts if (each.tenant_id, each.experiment_id) == key],
            switched.get(key),
            as_of,
        )
        for key, row in sorted(newest.items())
    ]
    tenants: dict[str, list[html.Page]] = defaultdict(list)
    for page in pages:
        tenants[page.experiment].append(page)
    made = {}
    for each_page in pages:
        page = each_page
        others = [each for each in tenants[page.experiment] if each is not page]
        row = newest[page.tenant, page.experiment]
        split = [each for each in channels if all(each[name] == row[name] for name in ("tenant_id", "experiment_id", "valid_from"))]
        page = _with(page, "By channel", channel_grid(split, own[(page.tenant, page.experiment), row["valid_from"]]))
        made[page.name] = html.render(_beside(page, others, newest, last), f"../{INDEX}")
    return made | {INDEX: html.render_index(pages, as_of.isoformat()), f"{FOLDER}/{html.SCRIPT}": html.script()}


def _page(decision: Row, rows: Sequence[Row], journal: Sequence[Verdict], newest: Verdict | None, as_of: datetime) -> html.Page:
    by_curve: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_curve[row["metric"], row["variant"]].append(row)
    order = ("primary", "guardrail", "cost", "other")
    curves = [_curve(each) for _, each in sorted(by_curve.items(), key=lambda item: (order.index(item[1][0]["role"]), item[0]))]
    by_look = {row["look_date"].isoformat(): row["srm_p"] for row in rows}
    is_killed = newest is not None and newest.verdict == "killed"
    status = "killed" if is_killed else decision["status"]
    why = f"Stopped: {newest.reason}. Control is served to everybody." if newest is not None and is_killed else decision["verdict"]
    power = decision["power"]
    return html.Page(
        name=page_name(decision["tenant_id"], decision["experiment_id"]),
        title=f"{decision['experiment_id']} of {decision['tenant_id']}",
        tenant=decision["tenant_id"],
        experiment=decision["experiment_id"],
        status=status,
        serve="control" if is_killed else decision["serve"],
        verdict=why,
        power="" if power is None else f"Power reached for the effect worth finding: {power:.0%}.",
        as_of=as_of.isoformat(),
        curves=curves,
        looks=list(by_look),
        srm=list(by_look.values()),
        tables=[("Last look", _last(rows))] if rows else [],
        findings=json.loads(decision["findings"]),
        journal=[(each.decided_at.isoformat(), each.verdict, each.decided_by, each.reason) for each in journal],
    )


def _curve(rows: Sequence[Row]) -> html.Curve:
    first = rows[0]

    def column(name: str) -> list[float | None]:
        return [row[name] for row in rows]

    return html.Curve(
        first["variant"], first["metric"], first["role"],
        [row["look_date"].isoformat() for row in rows],
        *map(column, ("effect", "ci_low", "ci_high", "always_low", "always_high", "statistic", "boundary")),
    )  # fmt: skip


def _last(rows: Sequence[Row]) -> html.Grid:
    day = rows[-1]["look_date"]
    head = ("metric", "role", "variant", "units", "control", "treatment", "effect", "95 %", "at all looks", "p", "p (Holm)", "SRM p", "")
    lines = [
        (
            row["metric"], row["role"], row["variant"], f"{row['control_units']} / {row['treatment_units']}", _number(row["control"]),
            _number(row["treatment"]), _number(row["effect"]), _span(row["ci_low"], row["ci_high"]),
            _span(row["always_low"], row["always_high"]), _number(row["p_value"]), _number(row["p_holm"]), _number(row["srm_p"]),
            row["reason"],
        )
        for row in rows
        if row["look_date"] == day
    ]  # fmt: skip
    return html.Grid(head, lines)


def _beside(page: html.Page, others: Sequence[html.Page], newest: Mapping[Key, Row], last: Mapping[Key, Row]) -> html.Page:
    """With the same experiment of other tenants: by tenant."""
    rows = []
    for each in (page, *others):
        row = last.get((each.tenant, each.experiment))
        effect = "" if row is None else f"{_number(row['effect'])} {_span(row['ci_low'], row['ci_high'])}"
        rows.append((each.tenant, each.status, effect, each.verdict))
    grid = html.Grid(("tenant", "status", "effect, 95 %", "verdict"), rows)
    return _with(page, "By tenant", grid)


def channel_grid(channels: Sequence[Row], results: Sequence[Row]) -> html.Grid:
    """Each treatment on the primary metric against the control of the same channel, with a 95 % interval by Welch.

    Looked at this way an experiment is cut into parts: a difference between channels is a hint, and no finding. Ratios are left out.
    """
    primary = next((row for row in results if row["role"] == "primary" and row["kind"] != "ratio"), None)
    own = [row for row in channels if primary is not None and row["metric"] == primary["metric"]]
    treated = {row["variant"] for row in results}
    controls = {row["channel"]: row for row in own if row["variant"] not in treated}
    lines = []
    for row in sorted(own, key=lambda row: (row["channel"], row["variant"])):
        control = controls.get(row["channel"])
        if row["variant"] not in treated or control is None:
            continue
        here, there = (Moments.from_variance(each["n"], each["mean"], each["variance"] or 0.0) for each in (control, row))
        found = compare(here, there)
        effect = f"{found.effect:.4g} {_span(found.ci_low, found.ci_high)}" if isinstance(found, Comparison) else found.reason
        lines.append(
            (row["channel"], row["variant"], f"{control['n']} / {row['n']}", _number(control["mean"]), _number(row["mean"]), effect)
        )
    return html.Grid(("channel", "variant", "units", "control", "treatment", "effect, 95 %"), lines)


def _with(page: html.Page, name: str, grid: html.Grid) -> html.Page:
    return replace(page, tables=[*page.tables, (name, grid)]) if grid.rows else page


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:.4g}, {high:.4g}]"
