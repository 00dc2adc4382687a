"""The site's parts: values in words, charts that Plotly takes, colours that can be read, pages that say what is missing."""

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.reports.site import frame
from ml.reports.site.figures import figure
from ml.reports.site.markdown import as_markdown
from ml.reports.site.parts import Answer, Band, Chart, Column, Panel, Scope, Site, Topic
from ml.reports.site.values import as_csv, duration, money, told

UTC_ZONE = ZoneInfo("UTC")
ROWS = [
    {"tenant_id": "a", "day": date(2026, 3, day), "kind": kind, "n": day, "share": day / 10, "low": day / 20, "high": day / 5}
    for day in (1, 2) for kind in ("x", "y")
]  # fmt: skip
COLUMNS = (
    Column("day", "Day", "date"), Column("kind", "Kind", "word"), Column("n", "Number", "count"), Column("share", "Share", "ratio"),
    Column("low", "Low", "ratio"), Column("high", "High", "ratio"),
)  # fmt: skip
CHARTS = [
    Chart("bar", "day", ("n",)),
    Chart("stack", "day", ("n",), by="kind"),
    Chart("across", "kind", ("n", "share")),
    Chart("line", "day", ("share",), bands=(Band("low", "high", "95 %"),), mark=0.5),
    Chart("points", "share", ("low",), diagonal=True),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.form)
def test_every_form_of_chart_is_one_that_plotly_takes(chart: Chart) -> None:
    spec = json.loads(re.sub(r"(var|soft)\(--[\w-]+\)", "#123456", frame.plot(figure(chart, COLUMNS, ROWS, UTC_ZONE))))
    made = go.Figure(spec)  # raises for any name or value that Plotly does not know
    assert len(made.data) >= 1


def test_a_ratio_is_drawn_in_per_cent_and_a_missing_value_is_a_gap_and_no_zero() -> None:
    rows = [*ROWS[:1], ROWS[2] | {"share": None}]
    [trace] = figure(Chart("line", "day", ("share",)), COLUMNS, rows, UTC_ZONE)["data"]
    assert trace["y"] == [10.0, None]
    assert trace["x"] == ["2026-03-01", "2026-03-02"]


@given(st.integers(-(10**15), 10**15), st.sampled_from(["INR", "EUR", "JPY", "KWD"]))
def test_money_keeps_every_minor_unit(minor: int, currency: str) -> None:
    shown = money(minor, currency)
    assert shown.endswith(f" {currency}")
    digits = int(re.sub(r"\D", "", shown))
    assert (-digits if shown.startswith("−") else digits) == minor


@given(st.floats(10, 10**8))
def test_a_duration_names_two_units_and_loses_less_than_one_of_the_second(seconds: float) -> None:
    sizes = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    parts = re.findall(r"(\d+) (d|h|min|s)", duration(seconds))
    assert 1 <= len(parts) <= 2
    back = sum(int(count) * sizes[unit] for count, unit in parts)
    assert abs(back - seconds) < sizes[parts[0][1]]


def test_a_moment_is_told_by_the_clock_of_the_zone_also_over_a_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    column = Column("at", "At", "moment")
    shown = [told(column, {"at": datetime(2026, 10, 25, hour, 30, tzinfo=UTC)}, berlin) for hour in (0, 1)]
    assert shown == ["2026-10-25 02:30", "2026-10-25 02:30"]
    assert told(column, {"at": None}, berlin) == "–"


def test_99_95_per_cent_is_not_100_per_cent() -> None:
    assert told(Column("x", "", "ratio"), {"x": 0.9995}, UTC_ZONE) == "99.95 %"
    assert told(Column("x", "", "ratio"), {"x": 1.0}, UTC_ZONE) == "100.0 %"
    assert told(Column("x", "", "ratio"), {"x": -0.02}, UTC_ZONE) == "−2.0 %"


def test_no_cell_of_a_csv_is_a_formula() -> None:
    text = as_csv((Column("a", "A"), Column("b", "B", "count")), [{"a": "=cmd()", "b": -3}, {"a": 'say "x", y', "b": None}])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["'=cmd()", "-3"], ['say "x", y', ""]]


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_can_be_read_in_both_themes() -> None:
    """WCAG 2.2: text 4.5 to 1 (1.4.3), marks of charts 3 to 1 (1.4.11)."""
    style = files("ml.reports.site").joinpath("site.css").read_text(encoding="utf-8")
    themes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root[^{]*\{([^}]*)\}", style)]
    assert len(themes) == 2
    for theme in themes:
        pairs = [(text, ground, 4.5) for text in ("text", "muted", "link") for ground in ("paper", "ground")]
        pairs += [(tone, f"{tone}-ground", 4.5) for tone in ("good", "warn", "bad")]
        pairs += [(f"c{number}", "paper", 3.0) for number in range(1, 8)]
        for one, other, least in pairs:
            light, dark = sorted((_luminance(theme[one]), _luminance(theme[other])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= least, (one, other)


def panel(**changes: object) -> Panel:
    given = {"name": "p", "title": "Title", "asks": "What?", "sql": "select 1", "columns": COLUMNS, "empty": "Do this."}
    return Panel(**given | changes)  # type: ignore[arg-type]


def made(one: Panel, answer: Answer, tenant: str = "") -> str:
    topic = Topic("t", "Topic", "Says.", (one,))
    site = Site((topic,), {"a": "UTC", "b": "UTC"}, datetime(2026, 3, 3, tzinfo=UTC), "http://127.0.0.1:3000")
    return frame.page(site, topic, Scope(tenant, "UTC"), {"p": answer})[frame.address("t", tenant)]


def test_a_page_says_what_is_empty_and_what_is_not_there() -> None:
    assert "Do this." in made(panel(), Answer())
    shown = made(panel(), Answer(missing="No table."))
    assert "<b>Not yet.</b> No table." in shown
    assert "Do this." not in shown
    assert "download" not in shown


def test_a_tenants_page_holds_no_row_of_another_and_no_sum_over_all() -> None:
    sums = [{**row, "tenant_id": who} for row in ROWS[:1] for who in ("a", "b", None)]
    sums = [{**row, "kind": f"row of {row['tenant_id']}"} for row in sums]
    shown = made(panel(scope="sums"), Answer(sums), "a")
    assert "row of a<" in shown
    assert "row of b<" not in shown and "row of None<" not in shown
    everybody = made(panel(scope="sums"), Answer(sums))
    assert "row of None<" in everybody and "row of a<" not in everybody
    assert "row of a<" not in made(panel(scope="platform"), Answer(sums), "a")


@given(st.text(min_size=1))
def test_whatever_a_value_holds_it_is_text_on_the_page(text: str) -> None:
    evil = f"</script><script>alert(1)</script>{text}"
    rows = [ROWS[0] | {"kind": evil}]
    shown = made(panel(chart=Chart("bar", "kind", ("n",))), Answer(rows))
    assert "<script>alert" not in shown


def test_a_panel_in_markdown_has_bars_as_long_as_its_numbers() -> None:
    rows = [ROWS[0] | {"n": n, "kind": f"k|{n}"} for n in (12, 24, 0)]
    lines = as_markdown(panel(chart=Chart("bar", "kind", ("n",))), rows, UTC_ZONE).splitlines()
    assert [line.count("█") for line in lines[4:]] == [12, 24, 0]
    assert "k\\|12" in lines[4]
    assert as_markdown(panel(), [], UTC_ZONE) == "**Title.** Do this."


def test_a_table_of_many_rows_is_cut_on_the_page_and_whole_in_its_csv() -> None:
    rows = [ROWS[0] | {"n": number} for number in range(250)]
    topic = Topic("t", "Topic", "Says.", (panel(),))
    pages = frame.page(Site((topic,), {}, None, ""), topic, Scope("", "UTC"), {"p": Answer(rows)})
    assert pages["t.html"].count("<tr>") == frame.LIMIT + 1
    assert "The first 100 of 250; the CSV has all." in pages["t.html"]
    assert pages["data/all/t--p.csv"].count("\n") == 251
    assert frame.NEVER in pages["t.html"]
