"""A collector as a process of its own, tenants that sign for their webhooks, and what lies in the inbox.

Here belongs what the collector's tests share. Not here: what must be true.
"""

import contextlib
import hashlib
import hmac
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import yaml

from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.tenants import apply_file
from orchestration.simulator import simulate

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_LISTENS = re.compile(r"webhooks at (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Sender:
    """One tenant's own feed and its WhatsApp account, with the secrets that sign for them."""

    tenant_id: str
    account_id: str
    secret: bytes
    number: str
    app_secret: bytes

    def report(self, event_id: str, note: str = "") -> bytes:
        """A body of the tenant's feed, with a text that nobody reads as it may come: not only ASCII, with spaces of its own."""
        body = {
            "type": "service.reported",
            "id": event_id,
            "account_id": self.account_id,
            "kind": "heartbeat",
            "service": "bot",
            "note": note,
        }
        return json.dumps(body | {"occurred_at": "2026-11-22T10:00:00Z"}, ensure_ascii=False).encode()

    def signed(self, body: bytes) -> dict[str, str]:
        """Headers that make it authentic."""
        return {"X-Flexoraa-Signature": hmac.new(self.secret, body, hashlib.sha256).hexdigest(), "Content-Type": "application/json"}


class Home:
    """An installation with tenants; its state is held for as long as it is open."""

    def __init__(self, platform: Platform, folder: Path, senders: list[Sender]) -> None:
        self.platform, self.folder, self.senders = platform, folder, senders
        self.inbox = platform.settings.inbox

    def lines(self) -> list[dict[str, str]]:
        """All lines of all closed segments."""
        return [json.loads(line) for path in sorted(self.inbox.glob("*.ndjson")) for line in path.read_bytes().splitlines()]

    def open_segments(self) -> list[Path]:
        """Segments that somebody is writing, or was when he died."""
        return sorted(self.inbox.glob(".collector-*"))

    def clear(self) -> None:
        """Remove all segments, also one that another collector closes meanwhile, under its new name."""
        while paths := [*self.inbox.glob("*.ndjson"), *self.inbox.glob(".collector-*")]:
            for path in paths:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def opened_home(tenants: int = 3) -> Iterator[Home]:
    """A home directly below the temporary folder (pytest's own folders make socket paths long)."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as name:
        folder = Path(name)
        simulate(folder / "traffic", tenants=tenants, leads=1, days=8, seed=3, end_at=AT, receiver_url=None)
        with open_platform(Settings.load(folder / "home", {})) as platform:
            apply_file(folder / "traffic" / "tenants.yaml", platform.state, platform.vault, AT, {})
            yield Home(platform, folder, senders_of(folder / "traffic"))


def senders_of(traffic: Path) -> list[Sender]:
    """The tenants of a simulation."""
    senders = []
    for tenant in yaml.safe_load((traffic / "tenants.yaml").read_text())["tenants"]:
        by_source = {each["source"]: each for each in tenant["connections"]}
        feed, whatsapp = by_source["platform"], by_source["whatsapp"]
        secrets = [(traffic / each["verify_secrets"][0]["file"]).read_bytes().strip() for each in (feed, whatsapp)]
        senders.append(Sender(tenant["id"], feed["account_id"], secrets[0], whatsapp["numbers"][0], secrets[1]))
    return senders


class Process:
    """A running collector. Its log is kept: tests look for what must not be in it."""

    def __init__(self, home: Home, *options: str) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 — closed by close()
        command = [
            sys.executable,
            "-m",
            "orchestration.cli",
            "collect",
            "--port",
            "0",
            "--home",
            str(home.platform.settings.home),
            *options,
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=self._log)
        self.url = self._announced()
        assert httpx.get(f"{self.url}/health", timeout=30).status_code == 200  # waits in the backlog until it serves

    def post(self, sender: Sender, body: bytes, **headers: str) -> httpx.Response:
        """One signed webhook."""
        return httpx.post(f"{self.url}/hooks/platform", content=body, headers=sender.signed(body) | headers, timeout=30)

    @contextlib.contextmanager
    def limited_to_files_of(self, size: int) -> Iterator[None]:
        """No file of the process may grow beyond so many bytes: what a full disk is to it, writes that stop in the middle included."""
        before = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            yield
        finally:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, before)

    def log(self) -> str:
        """All that it wrote so far."""
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """End it at once, without any clean-up."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop it if it runs."""
        if self._process.poll() is None:
            self.stop()
        self._log.close()

    def _announced(self) -> str:
        while self._process.poll() is None:
            if found := _LISTENS.search(self.log()):
                return found.group(1)
            time.sleep(0.02)
        raise AssertionError(self.log())


@contextlib.contextmanager
def collecting(home: Home, *options: str) -> Iterator[Process]:
    """A collector from begin to end of the block."""
    with contextlib.closing(Process(home, *options)) as process:
        yield process
