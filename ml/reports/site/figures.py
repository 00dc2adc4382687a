"""A panel's rows as a Plotly figure: plain dicts, with colours by name, which the page's own theme fills in.

Here belongs what is drawn. Not here: the theme (`site.css`, `site.js`), the table beside it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ml.reports.site.parts import Chart, Column, Row

COLOURS = tuple(f"var(--c{number})" for number in range(1, 8))
NAMED = {
    "HOT": "--c4", "WARM": "--c2", "COLD": "--c6", "sent": "--c1", "expired": "--c6", "rejected": "--c2", "unknown": "--c4",
    "requested": "--c3", "service level breached": "--c4", "lead leaks": "--c2", "hot lead waits": "--c3",
}  # fmt: skip
"""Series that have their colour wherever they are drawn."""
_SCALE = {"ratio": 100.0}
_HEIGHT = 300
_BAR_HEIGHT = 34
_MARGIN = {"l": 64, "r": 16, "t": 12, "b": 56}


def figure(chart: Chart, columns: Sequence[Column], rows: Sequence[Row], zone: ZoneInfo) -> dict[str, Any]:
    """`{"data": [...], "layout": {...}}` for Plotly.

    Ratios are drawn in per cent. A date of which a series has no row is left out of its line and no zero.
    """
    kinds = {column.name: column for column in columns}
    series = _series(chart, rows, kinds)
    data: list[dict[str, Any]] = []
    for place, (name, y, own) in enumerate(series):
        wanted = kinds[y].colour if y in kinds and not chart.by else NAMED.get(name, "")
        title = name.replace("_", " ") if chart.by in kinds and kinds[chart.by].kind == "word" else name
        data += _traces(chart, title, y, own, kinds, zone, f"var({wanted})" if wanted else COLOURS[place % len(COLOURS)])
    first = kinds.get(chart.y[0])
    unit = "%" if first and first.kind == "ratio" else (first.unit if first else "")
    title = chart.y_title or (first.title if first else "")
    value_axis = {
        "title": {"text": f"{title} ({unit})" if unit and unit not in title else title},
        "rangemode": "tozero",
        "automargin": True,
    }
    name_axis: dict[str, Any] = {"title": {"text": chart.x_title or (kinds[chart.x].title if chart.x in kinds else "")}, "automargin": True}
    if chart.x in kinds and kinds[chart.x].kind in {"text", "word"}:
        name_axis["type"] = "category"
    if chart.form == "across":
        name_axis |= {"autorange": "reversed", "title": {"text": ""}}
    layout: dict[str, Any] = {
        "height": max(180, 90 + _BAR_HEIGHT * len({row[chart.x] for row in rows})) if chart.form == "across" else _HEIGHT,
        "margin": _MARGIN,
        "barmode": "stack" if chart.form in {"stack", "across"} else "group",
        "hovermode": "closest" if chart.form in {"points", "across"} else "x unified",
        "showlegend": len(series) > 1 or bool(chart.bands),
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": value_axis if chart.form == "across" else name_axis,
        "yaxis": name_axis if chart.form == "across" else value_axis,
        "shapes": _lines(chart),
    }
    return {"data": data, "layout": layout}


def _series(chart: Chart, rows: Sequence[Row], kinds: Mapping[str, Column]) -> list[tuple[str, str, Sequence[Row]]]:
    """Name, column and rows of each series."""
    if not chart.by:
        return [(kinds[y].title if y in kinds else y, y, rows) for y in chart.y]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row[chart.by]) if row[chart.by] not in {None, ""} else "none", []).append(row)
    return [(name, chart.y[0], own) for name, own in groups.items()]


def _traces(
    chart: Chart, name: str, y: str, rows: Sequence[Row], kinds: Mapping[str, Column], zone: ZoneInfo, colour: str
) -> list[dict[str, Any]]:
    is_word = chart.x in kinds and kinds[chart.x].kind == "word"
    xs = [_plain(row[chart.x], zone, is_word=is_word) for row in rows]
    scale = _SCALE.get(kinds[y].kind, 1.0) if y in kinds else 1.0

    def column(of: str) -> list[Any]:
        return [None if row[of] is None else (float(row[of]) * scale if scale != 1.0 else _plain(row[of], zone)) for row in rows]

    match chart.form:
        case "bar" | "stack":
            return [{"type": "bar", "name": name, "x": xs, "y": column(y), "marker": {"color": colour}}]
        case "across":
            return [{"type": "bar", "orientation": "h", "name": name, "x": column(y), "y": xs, "marker": {"color": colour}}]
        case "points":
            if chart.x in kinds and kinds[chart.x].kind == "ratio":
                xs = [None if row[chart.x] is None else 100.0 * float(row[chart.x]) for row in rows]
            return [{"type": "scatter", "mode": "markers", "name": name, "x": xs, "y": column(y), "marker": {"color": colour, "size": 9}}]
        case _:
            shades = [each for band in chart.bands for each in _shade(band.title, xs, column(band.low), column(band.high), colour)]
            return [*shades, _line(name, xs, column(y), colour)]


def _shade(name: str, xs: Sequence[Any], low: Sequence[Any], high: Sequence[Any], colour: str) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "x": xs, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": colour.replace("var(", "soft("), "name": name}
    return [edge | {"y": low, "showlegend": False}, edge | fill | {"y": high}]


def _line(name: str, xs: Sequence[Any], ys: Sequence[Any], colour: str) -> dict[str, Any]:
    mode = "lines" if len(xs) > 40 else "lines+markers"  # markers of more points run into each other
    return {"type": "scatter", "mode": mode, "name": name, "x": xs, "y": ys, "line": {"color": colour, "width": 2}, "marker": {"size": 5}}


def _lines(chart: Chart) -> list[dict[str, Any]]:
    dotted: dict[str, Any] = {"type": "line", "line": {"dash": "dot", "width": 1, "color": "var(--muted)"}}
    lines = []
    if chart.diagonal:
        lines.append(dotted | {"x0": 0, "y0": 0, "x1": 100, "y1": 100})
    if chart.mark is not None:
        lines.append(dotted | {"xref": "paper", "x0": 0, "x1": 1, "y0": chart.mark, "y1": chart.mark})
    return lines


def _plain(value: Any, zone: ZoneInfo, *, is_word: bool = False) -> Any:
    """As JSON has it; moments as the clock of the zone shows them."""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str):
        return value.replace("_", " ") if is_word else value
    return value.isoformat() if isinstance(value, date) else value
