"""A page for one experiment and an index of all: HTML text from plain values.

Here belong figures and layout. The script that draws lies once beside the pages (`SCRIPT`). Not here: which rows, writing files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment
from plotly.offline import get_plotlyjs

SCRIPT = "plotly.min.js"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.3rem .7rem;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.killed{color:#b00020}.running{color:#00695c}.verdict{font-size:1.15rem}"
)
_CONFIG = {"displaylogo": False, "responsive": True, "plotlyServerURL": ""}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ page.title }}</title>
<style>{{ style|safe }}</style><script src="{{ script }}"></script></head><body>
<p><a href="{{ index }}">All experiments</a></p><h1>{{ page.title }}</h1>
<p class="verdict {{ page.status }}">{{ page.verdict }}</p>
<p>Status <b class="{{ page.status }}">{{ page.status }}</b>; served: <b>{{ page.serve }}</b>. {{ page.power }}</p>
{% if page.journal %}<h2>Kills and their ends</h2><table><tr><th>when</th><th>what</th><th>by</th><th>why</th></tr>
{% for row in page.journal %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>{% endif %}
{% if page.findings %}<h2>Findings</h2><ul>{% for each in page.findings %}
<li><b>{{ each.kind }}</b>: {{ each.detail }}</li>{% endfor %}</ul>{% endif %}
{% for name, figure in figures %}<h2>{{ name }}</h2>{{ figure|safe }}{% endfor %}
{% for name, table in page.tables %}<h2>{{ name }}</h2><table><tr>{% for cell in table.head %}<th>{{ cell }}</th>{% endfor %}</tr>
{% for row in table.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>{% endfor %}
<p>As of {{ page.as_of }}. Intervals: inner 95 % at one look, outer 95 % at all looks together.</p></body></html>
"""
_INDEX = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Experiments</title>
<style>{{ style|safe }}</style></head><body>
<h1>Experiments</h1><table><tr><th>tenant</th><th>experiment</th><th>status</th><th>served</th><th>verdict</th></tr>
{% for page in pages %}<tr><td>{{ page.tenant }}</td><td><a href="{{ page.name }}">{{ page.experiment }}</a></td>
<td class="{{ page.status }}">{{ page.status }}</td><td>{{ page.serve }}</td><td>{{ page.verdict }}</td></tr>{% endfor %}</table>
<p>As of {{ as_of }}.</p></body></html>
"""
_TEMPLATES = Environment(autoescape=True)


@dataclass(frozen=True, slots=True)
class Curve:
    """A treatment on a metric, by look: fields (looks,), None where there is no number.

    `statistic` passes `boundary` where it is stopped.
    """

    variant: str
    metric: str
    role: str
    looks: Sequence[str]
    effect: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    always_low: Sequence[float | None]
    always_high: Sequence[float | None]
    statistic: Sequence[float | None]
    boundary: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of words."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page says; `srm` are the mismatch's p-values by look."""

    name: str
    title: str
    tenant: str
    experiment: str
    status: str
    serve: str
    verdict: str
    power: str
    as_of: str
    curves: Sequence[Curve]
    looks: Sequence[str]
    srm: Sequence[float | None]
    tables: Sequence[tuple[str, Grid]] = ()
    findings: Sequence[Mapping[str, str]] = ()
    journal: Sequence[Sequence[str]] = field(default=())


def render(page: Page, index: str) -> str:
    """The page of one experiment; `index` is the address of the index as seen from it."""
    figures = [(f"{each.metric} ({each.role}): {each.variant} minus control", _effect(each)) for each in page.curves]
    figures += [
        (f"{each.metric}: sequential boundary, {each.variant}", _boundary(each))
        for each in page.curves
        if any(value is not None for value in each.boundary)
    ]
    if any(value is not None for value in page.srm):
        figures.append(("Sample ratio mismatch: p-value by look", _mismatch(page)))
    drawn = [(name, _html(figure, f"f{place}")) for place, (name, figure) in enumerate(figures)]
    return _TEMPLATES.from_string(_PAGE).render(page=page, figures=drawn, style=_STYLE, script=SCRIPT, index=index)


def render_index(pages: Sequence[Page], as_of: str) -> str:
    """The index."""
    return _TEMPLATES.from_string(_INDEX).render(pages=pages, as_of=as_of, style=_STYLE)


def script() -> str:
    """The bundled script that draws, 3.5 MB."""
    text: str = get_plotlyjs()
    return text


def _html(figure: go.Figure, name: str) -> str:
    html: str = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=_CONFIG)
    return html


def _effect(curve: Curve) -> go.Figure:
    figure = go.Figure(layout={"height": 320, "margin": {"t": 20}, "yaxis": {"title": "effect"}, "template": "plotly_white"})
    for low, high, shade, name in (
        (curve.always_low, curve.always_high, "rgba(0,105,92,0.12)", "95 % at all looks"),
        (curve.low, curve.high, "rgba(0,105,92,0.30)", "95 % at one look"),
    ):
        figure.add_scatter(x=curve.looks, y=low, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
        figure.add_scatter(x=curve.looks, y=high, mode="lines", line={"width": 0}, fill="tonexty", fillcolor=shade, name=name)
    figure.add_scatter(x=curve.looks, y=curve.effect, mode="lines+markers", line={"color": "#00695c"}, name="effect")
    figure.add_hline(y=0, line_dash="dot")
    return figure


def _boundary(curve: Curve) -> go.Figure:
    figure = go.Figure(layout={"height": 280, "margin": {"t": 20}, "yaxis": {"title": "z, harm upwards"}, "template": "plotly_white"})
    figure.add_scatter(x=curve.looks, y=curve.boundary, mode="lines", line={"color": "#b00020"}, name="stopped above")
    figure.add_scatter(x=curve.looks, y=curve.statistic, mode="lines+markers", line={"color": "#333"}, name="statistic")
    return figure


def _mismatch(page: Page) -> go.Figure:
    layout: dict[str, Any] = {"height": 240, "margin": {"t": 20}, "yaxis": {"title": "p", "type": "log"}, "template": "plotly_white"}
    figure = go.Figure(layout=layout)
    figure.add_scatter(x=page.looks, y=page.srm, mode="lines+markers", line={"color": "#333"}, name="p-value")
    figure.add_hline(y=0.01, line_dash="dot", annotation_text="0.01")
    return figure
