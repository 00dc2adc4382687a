"""`docs/tour.md`, walked: each address is opened in the Dagster UI or the reports, and shows what the tour quotes."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from tests.browser.conftest import SHOTS, visit_in
from tests.e2e.test_up import free_port
from tests.shared_demo import ROOT, Demo

STEPS = re.compile(r"^- open (\S+) → “([^”]+)”$", re.MULTILINE)
DAGSTER, REPORTS = "http://127.0.0.1:3000", "http://127.0.0.1:3001"


@pytest.fixture(scope="module")
def dagster(shared: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The web server of `flexoraa up` alone, reading only: a daemon would run the sweep on the demo that others look at."""
    settings, port = Settings.load(shared.home, {}), free_port()
    before = dict(os.environ)
    log = tmp_path_factory.mktemp("dagster") / "webserver.log"
    with open_state(settings) as state, log.open("wb") as output:
        prepare_dagster(settings, state.libpq_url)
        program = [str(Path(sys.executable).parent / "dagster-webserver"), "-w", str(ROOT / "workspace.yaml"), "--read-only"]
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


def test_the_tour_shows_what_it_says(browser: Browser, dagster: str, address: str) -> None:
    steps = STEPS.findall((ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))
    assert len(steps) > 12
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    visit = visit_in(context)
    SHOTS.mkdir(exist_ok=True)
    for number, (url, quoted) in enumerate(steps, start=1):
        page = visit.page
        page.goto(url.replace(DAGSTER, dagster).replace(REPORTS, address))
        expect(page.get_by_text(quoted).filter(visible=True).first, f"step {number}: {url}").to_be_visible(timeout=90_000)
        page.screenshot(path=SHOTS / f"tour-{number:02}.png")
    outside = {url for url in visit.asked if not url.startswith((dagster, address, "data:", "blob:"))}
    assert outside == set()
    context.close()


def test_row_counts_of_marts_are_in_the_dagster_ui(dagster: str) -> None:
    query = """{ assetNodeOrError(assetKey: {path: ["marts", "dim_leads"]}) { ... on AssetNode {
        assetObservations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""
    node = httpx.post(f"{dagster}/graphql", json={"query": query}, timeout=60).json()["data"]["assetNodeOrError"]
    entries = {each["label"]: each.get("intValue") for each in node["assetObservations"][0]["metadataEntries"]}
    assert entries["dagster/row_count"] == 544
