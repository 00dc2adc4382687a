"""`docs/tour.md`, walked: each address is opened in the Dagster UI or the reports, and shows what the tour quotes."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Error, expect

from orchestration.report_server import serving
from orchestration.resources.clock import FixedClock
from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.lineage import ensure_lineage
from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from tests.browser.conftest import SHOTS, visit_in
from tests.e2e.test_up import free_port
from tests.shared_demo import END_AT, ROOT, Demo, copied

STEPS = re.compile(
    r"^- (?:open (?P<url>\S+)|choose “(?P<choice>[^”]+)”) → “(?P<quoted>[^”]+)”$|^!\[.*\]\(images/(?P<picture>tour-.*\.png)\)$",
    re.MULTILINE,
)
DAGSTER, REPORTS = "http://127.0.0.1:3000", "http://127.0.0.1:3001"


@pytest.fixture(scope="module")
def home(shared: Demo) -> Iterator[Path]:
    """A copy with dbt's documentation, which no run makes: dbt opens the warehouse as nobody may beside readers."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-t-") as folder:  # short, for the socket's path
        Path(folder).chmod(0o711)
        own = copied(shared, Path(folder) / "demo").home
        settings = Settings.load(own, {})
        with open_platform(settings, FixedClock(END_AT)) as platform:
            page = platform.dbt.document()
        assert page == settings.reports / "dbt_docs.html"
        yield own


@pytest.fixture(scope="module")
def reports(home: Path) -> Iterator[str]:
    """Where its pages are served."""
    with serving(home / "reports", 0) as url:
        yield url


@pytest.fixture(scope="module")
def dagster(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The web server of `flexoraa up` alone: a daemon would run the sweep."""
    ensure_lineage()
    settings, port = Settings.load(home, {}), free_port()
    before = dict(os.environ)
    log = tmp_path_factory.mktemp("dagster") / "webserver.log"
    with open_state(settings) as state, log.open("wb") as output:
        prepare_dagster(settings, state.libpq_url)
        program = [str(Path(sys.executable).parent / "dagster-webserver"), "-w", str(ROOT / "workspace.yaml")]
        server = subprocess.Popen([*program, "-h", "127.0.0.1", "-p", str(port)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 240
            while time.monotonic() < until and server.poll() is None:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"http://127.0.0.1:{port}/server_info", timeout=5).status_code == 200:
                        break
                time.sleep(0.5)
            else:
                pytest.fail(log.read_text()[-4000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)
            os.environ.clear()
            os.environ.update(before)


def test_the_tour_shows_what_it_says(browser: Browser, dagster: str, reports: str) -> None:
    steps = list(STEPS.finditer((ROOT / "docs" / "tour.md").read_text(encoding="utf-8")))
    assert sum(bool(step["url"]) for step in steps) > 15
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    visit = visit_in(context)
    page = visit.page
    SHOTS.mkdir(exist_ok=True)
    for number, step in enumerate(steps, start=1):
        if step["picture"]:
            page.screenshot(path=SHOTS / step["picture"])
            continue
        if step["url"]:
            page.goto(step["url"].replace(DAGSTER, dagster).replace(REPORTS, reports))
        else:
            page.get_by_text(step["choice"], exact=True).filter(visible=True).first.click(timeout=90_000)
        shown = page.get_by_text(step["quoted"]).filter(visible=True).first
        expect(shown, f"step {number}: {step[0]}").to_be_visible(timeout=90_000)
        with contextlib.suppress(Error):  # for the picture alone: Dagster's UI may draw it anew meanwhile
            shown.scroll_into_view_if_needed(timeout=5_000)
        page.screenshot(path=SHOTS / f"tour-{number:02}.png")
    outside = {url for url in visit.asked if not url.startswith((dagster, reports, "data:", "blob:"))}
    assert outside == set()
    context.close()


def test_row_counts_of_marts_are_in_the_dagster_ui(dagster: str) -> None:
    query = """{ assetNodeOrError(assetKey: {path: ["marts", "dim_leads"]}) { ... on AssetNode {
        assetObservations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""
    node = httpx.post(f"{dagster}/graphql", json={"query": query}, timeout=60).json()["data"]["assetNodeOrError"]
    entries = {each["label"]: each.get("intValue") for each in node["assetObservations"][0]["metadataEntries"]}
    assert entries["dagster/row_count"] == 544
