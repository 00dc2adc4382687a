"""Every page in a browser: no error, no outside request, no serious barrier; numbers are those of the marts; filters and downloads work."""

import csv
import io
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from assets.pages.menu import TOPICS
from assets.site import STATE, failed_run
from orchestration.report_server import serving
from orchestration.resources.clock import FixedClock
from orchestration.resources.settings import Settings
from tests.browser.conftest import SHOTS, Visit, visit_in
from tests.shared_demo import END_AT, Demo

NAMES = ["index.html", *(f"{topic.name}.html" for topic in TOPICS[1:]), "tenants/rheinsolar/today.html", "tenants/rheinsolar/sla.html",
         "experiments/meridian_homes--persuasion_scarcity.html"]  # fmt: skip
SERIOUS = {"serious", "critical"}


def drawn(page: Page) -> None:
    """Scroll through, so that every chart is drawn."""
    page.evaluate("for (const each of document.querySelectorAll('[data-plot]')) each.scrollIntoView()")
    for plot in page.locator("[data-plot]").all():
        plot.scroll_into_view_if_needed()
        expect(plot.locator(".main-svg").first).to_be_visible(timeout=30_000)
    page.evaluate("scrollTo(0, 0)")


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""All that another theme can change."""


def barriers(page: Page, options: dict[str, object] | None = None) -> list[str]:
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found if each["impact"] in SERIOUS]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_without_an_error_an_outside_request_or_a_serious_barrier(visit: Visit, address: str, name: str) -> None:
    page = visit.open(f"{address}/{name}")
    drawn(page)
    assert visit.said == []
    assert [url for url in visit.asked if not url.startswith((address, "data:", "blob:"))] == []
    assert page.locator("h1").count() == 1
    for shade in ("light", "dark"):
        page.evaluate(f"flexoraaTheme.choose('{shade}')")
        assert barriers(page, COLOURS if shade == "dark" else None) == [], shade
    page.evaluate("flexoraaTheme.choose('light')")
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name.replace('/', '--').removesuffix('.html')}.png", full_page=True)


def test_every_page_opens_from_disk_with_its_charts(visit: Visit, shared: Demo) -> None:
    for name in ("index.html", "tenants/meridian_homes/tokens.html"):
        page = visit.open((shared.home / "reports" / name).as_uri())
        drawn(page)
    assert visit.said == []
    assert [url for url in visit.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_phone_shows_every_page_without_scrolling_sideways(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True)
    visit = visit_in(context)
    for name in NAMES:
        page = visit.open(f"{address}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
    visit.open(f"{address}/index.html").screenshot(path=SHOTS / "phone.png")
    assert visit.said == []
    context.close()


def rows_of(page: Page, panel: str) -> list[list[str]]:
    """Raw values of the rows that are shown."""
    script = """panel => [...document.querySelectorAll(`#${panel} tbody tr`)].filter(row => !row.hidden)
        .map(row => [...row.cells].map(cell => cell.dataset.v ?? cell.textContent))"""
    found: list[list[str]] = page.evaluate(script, panel)
    return found


def ask(shared: Demo, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(Settings(shared.home).warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("name", "figure", "plain"),
    [
        ("sla.html", "Broken", "select count(*) from marts.fct_sla_clocks where verdict = 'breached'"),
        ("leads.html", "Leads", "select count(*) from marts.dim_leads"),
        ("leads.html", "Won", "select count(*) from marts.dim_leads where stage = 'won'"),
        ("index.html", "Leaks open", "select count(*) from marts.fct_lead_leaks where closed_at is null"),
        (
            "tenants/rheinsolar/sla.html",
            "Kept",
            "select count(*) from marts.fct_sla_clocks where verdict = 'met' and tenant_id = 'rheinsolar'",
        ),
        (
            "tenants/rheinsolar/today.html",
            "Leaks open",
            "select count(*) from marts.fct_lead_leaks where closed_at is null and tenant_id = 'rheinsolar'",
        ),
    ],
)
def test_a_number_on_a_page_is_what_a_plain_question_to_the_marts_gives(
    visit: Visit, address: str, shared: Demo, name: str, figure: str, plain: str
) -> None:
    page = visit.open(f"{address}/{name}")
    shown = page.locator(".figure", has=page.get_by_text(figure, exact=True)).locator("dd").inner_text()
    assert int(shown.replace(",", "")) == ask(shared, plain)[0][0] > 0


def test_the_query_under_a_table_gives_its_rows_and_its_csv(visit: Visit, address: str, shared: Demo) -> None:
    """On every page of one tenant and on one of all: the shown query, asked anew, has as many rows as the downloaded file."""
    for name in ("sla.html", "tenants/rheinsolar/leads.html", "tenants/rheinsolar/tokens.html"):
        page = visit.open(f"{address}/{name}")
        for panel in page.locator("section.panel").all():
            query = panel.locator(".query code").text_content() or ""
            with page.expect_download() as download:
                panel.get_by_role("link", name=re.compile("^CSV")).click()
            text = Path(download.value.path()).read_text(encoding="utf-8")
            rows = list(csv.reader(io.StringIO(text)))[1:]
            assert len(rows) == len(ask(shared, query)), query


def test_filters_narrow_a_table_and_a_click_on_a_head_sorts_it(visit: Visit, address: str) -> None:
    page = visit.open(f"{address}/index.html")
    panel = page.locator("#waiting")
    everything = rows_of(page, "waiting")
    panel.get_by_label("Matter").select_option("lead leaks")
    panel.get_by_label("Tenant").select_option("rheinsolar")
    chosen = rows_of(page, "waiting")
    assert 0 < len(chosen) < len(everything)
    assert {(row[0], row[1]) for row in chosen} == {("rheinsolar", "lead leaks")}
    assert panel.locator("[data-shown]").inner_text() == f"{len(chosen)} of {len(everything)}"
    panel.get_by_label("Matter").select_option("any")
    panel.get_by_label("Tenant").select_option("any")
    panel.get_by_label("Search").fill("dunes no reply")
    assert {row[0] for row in rows_of(page, "waiting")} == {"dunes_motors"}
    panel.get_by_label("Search").fill("")
    panel.get_by_role("button", name="Waiting").click()
    waiting = [float(row[-1]) for row in rows_of(page, "waiting")]
    assert waiting == sorted(waiting)
    expect(panel.get_by_role("columnheader", name="Waiting")).to_have_attribute("aria-sort", "ascending")


def test_the_keyboard_alone_reaches_content_tenants_theme_and_tables(visit: Visit, address: str) -> None:
    page = visit.open(f"{address}/index.html")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    button = page.get_by_role("button", name=re.compile("^Theme"))
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(button).to_have_text("Theme: dark")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_label("Tenant").first.focus()
    with page.expect_navigation():
        page.get_by_label("Tenant").first.select_option("rheinsolar")
    assert page.url == f"{address}/tenants/rheinsolar/today.html"
    expect(page.locator("h1")).to_have_text("Today of rheinsolar")
    page.locator("#waiting .scroll").focus()
    expect(page.locator("#waiting .scroll")).to_be_focused()


def test_times_are_in_the_tenants_zone_and_say_so(visit: Visit, address: str) -> None:
    page = visit.open(f"{address}/tenants/meridian_homes/today.html")
    expect(page.locator(".meta")).to_contain_text("2026-11-20 17:30 IST · times in Asia/Kolkata")
    expect(page.get_by_role("columnheader", name="Since (Asia/Kolkata)")).to_be_visible()
    page = visit.open(f"{address}/index.html")
    expect(page.get_by_role("columnheader", name="Since (UTC)")).to_be_visible()


def test_old_numbers_and_a_failed_run_are_told_at_the_top(browser: Browser, shared: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    shutil.copytree(shared.home / "reports", folder)
    (folder / STATE).write_text(failed_run(["warehouse"], "1a2b", FixedClock(END_AT).now(), "http://127.0.0.1:3000"), encoding="utf-8")
    context = browser.new_context()
    visit = visit_in(context)
    visit.page.clock.set_fixed_time("2026-11-20T17:00:00Z")
    with serving(folder, 0) as address:
        banner = visit.open(f"{address}/sla.html").get_by_role("status").first
        expect(banner).to_contain_text("The last run failed on 2026-11-20 12:00 UTC: it ended at warehouse.")
        expect(banner).to_contain_text("http://127.0.0.1:3000/runs/1a2b")
        expect(banner).to_contain_text("These numbers are 5 hours old")
        assert barriers(visit.page) == []
    context.close()
