"""The reports' folder over HTTP, on loopback: what `flexoraa up` and `flexoraa reports serve` show.

Here belongs serving files as they lie. Not here: making them (`assets.reports`).
"""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orchestration.resources.settings import Settings

HOST = "127.0.0.1"
_OWN_NAMES = {"127.0.0.1", "localhost", "[::1]"}
_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Plotly and the height of charts write style attributes; nothing writes a script."""
_BUNDLED = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; base-uri 'none'; form-action 'none'"
)
"""For pages that other tools write in one piece (dbt's documentation, Evidently's): their own scripts, and no other address."""
_OTHERS = ("/dbt_docs", "/drift", "/evidently")


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder: no listing, no other host's name, nothing but reading."""

    def send_head(self) -> Any:
        """As the library does, for readers of this machine alone: a page elsewhere that resolves its name to us is refused."""
        name = (self.headers.get("Host") or "").rpartition(":")[0] or (self.headers.get("Host") or "")
        if name not in _OWN_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "the reports are served to this machine only")
            return None
        if any(part.startswith(".") for part in self.path.split("/")):  # drafts of pages that are being written
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> Any:
        """There is none."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Nothing from elsewhere runs on a page, and a page is asked for again each time."""
        self.send_header("Content-Security-Policy", _BUNDLED if self.path.startswith(_OTHERS) else _STRICT)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Who reads what is nobody's business."""


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Serve a folder for as long as the block lasts; gives its address. Port 0 takes a free one."""
    with ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="reports", daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def build(settings: Settings) -> list[str]:
    """Make every page of the site from what the warehouse holds now; the questions that have no answer, each with the reason.

    Raises:
        WarehouseBusyError: a run is writing it.
    """
    from assets.pages.menu import TOPICS
    from assets.site import build as built
    from orchestration.resources.engines import warehouse_of
    from orchestration.resources.pages import FolderPages
    from orchestration.resources.readings import InstallationReadings
    from orchestration.resources.state import open_state

    with open_state(settings) as state:
        pages = FolderPages(settings.reports)
        readings = InstallationReadings(settings, state, warehouse_of(settings, state.libpq_url))
        made = built(readings, pages.names(), [topic.name for topic in TOPICS])
    pages.write(made.pages)
    return [f"{name}: {why}" for name, why in made.missing.items()]
