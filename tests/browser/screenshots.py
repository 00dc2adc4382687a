"""The pictures of the README and the tour: `python -m tests.browser.screenshots [HOME]`, from the pages of a demo (`.flexoraa-demo`).

Those of Dagster's UI are what the test of the tour took last (`tests/browser/test_tour.py`). Here belongs which pages, and how large. Not
here: any test.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, SHOTS
from tests.shared_demo import ROOT

PICTURES = {
    "today": "index.html",
    "experiment": "experiments/meridian_homes--persuasion_scarcity.html",
    "sla": "sla.html",
    "leads": "leads.html",
}


def main() -> None:
    """Write them into docs/images, at the moment of the demo, so that no page says that it is old."""
    home = Path(sys.argv[1] if len(sys.argv) > 1 else ".flexoraa-demo").absolute()
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, page_name in PICTURES.items():
            page = browser.new_page(viewport={"width": 1120, "height": 860})
            page.clock.set_fixed_time("2026-11-20T12:30:00Z")
            page.goto((home / "reports" / page_name).as_uri(), wait_until="load")
            page.wait_for_timeout(1500)  # the charts' own drawing
            page.screenshot(path=folder / f"{name}.png")
        browser.close()
    for shot in SHOTS.glob("tour-[a-z]*.png"):
        shutil.copy(shot, folder / shot.name)


if __name__ == "__main__":
    main()
