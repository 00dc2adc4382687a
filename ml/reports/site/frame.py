"""Pages as HTML text, with the files beside them: style, scripts, CSV.

Here belongs putting parts into the templates beside this file, and where pages lie to each other. Not here: drawing, words for values.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, Template

from ml.reports.site import figures, values
from ml.reports.site.parts import Answer, Column, Link, Panel, Row, Scope, Site, Tone, Topic

LIMIT = 100
"""Rows of a table on a page; its CSV has all. 100 rows of six cells are 20 kB."""

SCRIPT = "static/plotly.min.js"
NEVER = "never: nothing was built yet"
_OWN = ("site.css", "site.js", "theme.js")
_WORDS = ("text", "word", "id", "moment", "date", "flag")
_WHERE = {
    "marts": "In DuckDB's SQL: “flexoraa sql” asks it where that is the engine.",
    "state": "Of the platform's own state, in PostgreSQL.",
}
_LONG = 36
"""Characters from which on a cell is broken into lines."""
_FACET_VALUES = 12
_TONES: Mapping[str, Tone] = {
    "killed": "bad", "failed": "bad", "unknown": "bad", "open": "warn", "HOT": "bad", "rejected": "warn", "held": "warn",
    "critical": "bad", "overdue": "bad", "overdrawn": "bad", "burning": "warn", "nothing left": "bad", "sent": "good", "running": "good",
    "within": "good",
}  # fmt: skip
"""Words that stand out wherever they are a whole cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what it says, what it sorts by."""

    text: str
    sort: str
    number: bool
    tone: str = ""
    address: str = ""
    is_id: bool = False
    is_long: bool = False
    title: str = ""
    unit: str = ""


def page(site: Site, topic: Topic, scope: Scope, answers: Mapping[str, Answer], name: str = "") -> dict[str, str]:
    """The page of a topic and the CSV of its panels, by their names in the reports' folder; `name` is where it lies, if not in the menu."""
    name = name or address(topic.name, scope.tenant)
    up = "../" * name.count("/")
    zone = ZoneInfo(scope.zone)
    view = _View(scope, up, zone, values.moment(site.as_of, zone) if site.as_of else NEVER)
    made: dict[str, str] = {}
    shown = []
    for panel in topic.panels:
        if scope.tenant and panel.scope in {"platform", "tenants"}:
            continue
        answer = answers[panel.name]
        rows = rows_of(panel, answer.rows, scope)
        is_one = scope.tenant or panel.scope == "sums"
        columns = [each for each in panel.columns if not (is_one and each.name == "tenant_id")]
        csv = f"data/{scope.tenant or 'all'}/{topic.name}--{panel.name}.csv"
        if not answer.missing:
            made[csv] = values.as_csv(columns, rows)
        shown.append(_panel(panel, columns, rows, answer.missing, csv, view))
    nav = topic.name if any(each.name == topic.name for each in site.topics) else topic.name.split("--")[0]
    tenants = [("All tenants", up + address(nav, ""))] + [(each, up + address(nav, each)) for each in sorted(site.zones)]
    made[name] = _template("page.html").render(
        topic=topic,
        nav=nav,
        everybody=up + address(nav, ""),
        scope=scope,
        topics=site.topics,
        addresses={each.name: up + address(each.name, scope.tenant) for each in site.topics},
        tenants=tenants,
        up=up,
        as_of_iso=site.as_of.isoformat() if site.as_of else "",
        as_of=view.as_of,
        zone=scope.zone,
        panels=shown,
        links=[Link(each.title, each.address if "//" in each.address else up + each.address)
               for each in (*topic.see, *site.extra.get(topic.name, ()))],
        dagster=site.dagster,
    )  # fmt: skip
    return made


def address(topic: str, tenant: str) -> str:
    """Where a page lies, from the reports' folder."""
    if topic == "today" and not tenant:
        return "index.html"
    name = f"{topic}.html"
    return f"tenants/{tenant}/{name}" if tenant else name


def shared() -> dict[str, str]:
    """What all pages use: style, scripts, the library that draws (4.5 MB)."""
    own = {f"static/{name}": files(__package__).joinpath(name).read_text(encoding="utf-8") for name in _OWN}
    # by its file: importing plotly takes 0.3 s
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return own | {SCRIPT: plotly}


def run_state(status: str, at: str = "", what: str = "", todo: str = "") -> str:
    """The script `static/state.js`, by which every page says that the last run failed."""
    return f"window.flexoraaState = {json.dumps({'status': status, 'at': at, 'what': what, 'todo': todo})};\n"


def plot(spec: Mapping[str, Any]) -> str:
    """A figure as JSON within a page."""
    return json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c")


def rows_of(panel: Panel, rows: Sequence[Row], scope: Scope) -> Sequence[Row]:
    """The rows of a panel that belong to a scope."""
    if scope.tenant:
        return [row for row in rows if row.get("tenant_id") == scope.tenant]
    return [row for row in rows if row.get("tenant_id") is None] if panel.scope == "sums" else rows


@dataclass(frozen=True, slots=True)
class _View:
    """From where a page looks: whose it is, how it gets to the folder of all reports, the clock on its wall."""

    scope: Scope
    up: str
    zone: ZoneInfo
    as_of: str


def _panel(panel: Panel, columns: Sequence[Column], rows: Sequence[Row], missing: str, csv: str, view: _View) -> str:
    columns = [replace(each, unit=view.scope.zone) if each.kind == "moment" else each for each in columns]
    cells = [[_cell(column, row, view) for column in columns] for row in rows[:LIMIT]]
    spec = figures.figure(panel.chart, columns, rows, view.zone) if panel.chart and rows else None
    facets = []
    for place, column in enumerate(columns):
        found = sorted({row[place].text for row in cells}) if column.facet or column.name == "tenant_id" else []
        if 1 < len(found) <= _FACET_VALUES:
            facets.append((place, column.title, found))
    own = [column for column in columns if column.name != "tenant_id"]
    return _template("panel.html").render(
        panel=panel,
        columns=columns,
        rows=cells,
        total=len(rows),
        figures=[_figure(column, rows[0], view) for column in own] if rows else [],
        missing=missing,
        chart=plot(spec) if spec else "",
        height=spec["layout"]["height"] if spec else 0,
        facets=facets,
        limit=LIMIT,
        words=_WORDS,
        csv=view.up + csv,
        sql=_shown(panel, view.scope),
        where=_WHERE[panel.store],
        as_of=view.as_of,
    )


def _cell(column: Column, row: Row, view: _View) -> Cell:
    text = values.told(column, row, view.zone)
    to = ""
    if column.name == "tenant_id" and text != values.NOTHING and not view.scope.tenant:
        to = view.up + address("today", text)
    elif column.link and text != values.NOTHING:
        to = view.up + column.link.format_map(row)
    tone = _TONES.get(text, "") if column.kind in {"text", "word"} else ""
    sort = values.sortable(column, row)
    return Cell(text, sort, column.kind not in _WORDS, tone, to, is_id=column.kind == "id", is_long=len(text) > _LONG)


def _figure(column: Column, row: Row, view: _View) -> Cell:
    text = values.told(column, row, view.zone)
    value = row.get(column.name)
    is_high = isinstance(value, int | float) and value > 0
    to = view.up + address(column.link, view.scope.tenant) if column.link else ""
    return Cell(text, "", number=True, tone=column.alarm if is_high else "", address=to, title=column.title, unit=column.unit)


def _shown(panel: Panel, scope: Scope) -> str:
    """The query as it gives just the rows of this page."""
    sql = panel.sql.strip()
    if scope.tenant:
        quoted = scope.tenant.replace("'", "''")
        return f"select * from (\n{sql}\n) as all_tenants\nwhere tenant_id = '{quoted}'"
    return f"select * from (\n{sql}\n) as all_tenants\nwhere tenant_id is null" if panel.scope == "sums" else sql


@cache
def _template(name: str) -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files(__package__).joinpath(name).read_text(encoding="utf-8"))
