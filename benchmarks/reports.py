"""The report site: building it over a million events, the weight of its first page, and when a browser paints it.

The first page is the HTML with all that it loads but the plot library. First paint is Chromium's own `first-contentful-paint` over
loopback, the median of several fresh starts; it needs Chromium, and without one that claim is left out.
`python -m benchmarks.reports [--events 1000000] [--days 180] [--json]`
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from assets.pages.menu import TOPICS
from assets.site import build as build_site
from benchmarks._claim import Claim
from benchmarks._planet import Planet
from benchmarks.warehouse import build
from ml.reports.site.frame import SCRIPT
from orchestration.report_server import serving
from orchestration.resources.dbt import ensure_manifest
from orchestration.resources.engines import warehouse_of
from orchestration.resources.pages import FolderPages
from orchestration.resources.readings import InstallationReadings
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state

STARTS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=180, help="days over which they lie")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    ensure_manifest()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        Path(folder).chmod(0o711)
        for claim in measure(Path(folder), options.events, options.days):
            print(claim.report(), flush=True)


def measure(folder: Path, events: int, days: int) -> Iterator[Claim]:
    """Build the marts, then the site over them, then open its first page."""
    planet = Planet(folder, events, days)
    build(folder / "home", planet, "duckdb", with_tests=False)
    settings = Settings.load(folder / "home", {})
    with open_state(settings) as state:
        readings = InstallationReadings(settings, state, warehouse_of(settings, state.libpq_url))
        started, worked = time.perf_counter(), time.process_time()
        made = build_site(readings, [], [topic.name for topic in TOPICS])
        FolderPages(settings.reports).write(made.pages)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
    pages = sum(name.endswith(".html") for name in made.pages)
    told = f"{planet.events} events, {pages} pages of {len(made.pages)} files, {worked:.1f} s of CPU, load {os.getloadavg()[0]:.1f}"
    yield Claim("building the report site", seconds, "s", "30 s", 30.0, 1.0, told)
    first = ("index.html", "static/site.css", "static/site.js", "static/theme.js", "static/state.js")
    weight = sum(len(made.pages[name].encode()) for name in first) / 1000
    yield Claim("the first page and what it loads, apart from the plot library", weight, "kB", "500 kB", 500.0, 1.0, told)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium:
        library = len(made.pages[SCRIPT].encode()) / 1e6
        with serving(settings.reports, 0) as address:
            paint = statistics.median(_paints(chromium, f"{address}/index.html"))
        yield Claim("first paint of the first page", paint, "s", "1 s", 1.0, 1.0, f"{told}; plot library {library:.1f} MB, {STARTS} starts")


def _paints(chromium: str, url: str) -> Iterator[float]:
    from playwright.sync_api import sync_playwright  # a dependency of development: the other claims hold without it

    with sync_playwright() as playwright:
        for _ in range(STARTS):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(url, wait_until="load")
            page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
            yield page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            browser.close()


if __name__ == "__main__":
    main()
