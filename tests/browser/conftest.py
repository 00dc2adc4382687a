"""The pages in a real browser: Debian's Chromium, on the shared demo; nothing is downloaded and no page of elsewhere is asked for.

Screenshots are kept in `.screenshots` (git-ignored), the artefacts of a test run.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from orchestration.report_server import serving
from tests.shared_demo import Demo, shared_demo

SHOTS = Path(__file__).resolve().parents[2] / ".screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def shared() -> Demo:
    """The demo that everybody looks at."""
    demo = shared_demo()
    assert demo.code == 0, demo.out + demo.err
    return demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file: while it is open, its event loop runs in this thread, and nobody else could run one."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def address(shared: Demo) -> Iterator[str]:
    """Where the demo's pages are served."""
    with serving(shared.home / "reports", 0) as url:
        yield url


@dataclass
class Visit:
    """A page that was opened, with all that it said and asked."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, url: str) -> Page:
        """Go there; returns when its charts near the top are drawn."""
        self.page.goto(url)
        self.page.wait_for_load_state("load")
        return self.page


def visit_in(context: BrowserContext) -> Visit:
    """A fresh page that keeps what the console says and what is asked for."""
    visit = Visit(context.new_page())

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visit.said.append(message.text)

    def request(asked: Request) -> None:
        visit.asked.append(asked.url)

    visit.page.on("console", console)
    visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
    visit.page.on("request", request)
    return visit


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """On a desk."""
    context = browser.new_context(viewport={"width": 1180, "height": 900}, accept_downloads=True)
    yield visit_in(context)
    context.close()
