"""What the tests of delivery share, one installation and a fresh tenant a test; and those of intake, a home with two tenants' traffic."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.identity_ports import Leads
from orchestration.receiver import Receiver
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from orchestration.simulator import simulate
from tests.assets.rooms import END, Room, Traffic
from tests.orchestration.effects import Scene


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """A home directly below the temporary folder: pytest's own folders make socket paths long."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        yield Settings.load(Path(folder) / "home", {})


@pytest.fixture(scope="session")
def state(settings: Settings) -> Iterator[State]:
    """Its state."""
    with open_state(settings) as opened:
        yield opened


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, state: State) -> Iterator[Scene]:
    """A fresh tenant over an empty outbox and an empty inbox."""
    with state.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox")
    for path in settings.inbox.iterdir():
        path.unlink()
    vault = Vault(state, settings.master_key())
    with Receiver(tmp_path / "record.ndjson") as receiver, httpx.Client(timeout=5) as client:
        yield Scene(f"t{uuid.uuid4().hex[:10]}", tmp_path, settings.inbox, state, vault, receiver, client)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A home directly below the temporary folder (pytest's own folders make socket paths long), empty."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def traffic(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """Two tenants' webhooks, the tenants applied; a third of the lines came packed, and one body is of 10 MB."""
    out = tmp_path_factory.mktemp("simulated")
    truth = simulate(out, tenants=2, leads=12, days=8, seed=3, end_at=END, receiver_url=None, is_huge_body_planted=True)
    apply_file(out / "tenants.yaml", platform.state, platform.vault, END, {})
    platform.reference.export(END, (END.date(), END.date()), Leads())
    inbox = FolderInbox(out / "inbox")
    lines = [line.raw for segment in inbox.pending() for line in inbox.lines(segment)]
    assert len(lines) == truth.lines
    return Traffic(truth, lines)


@pytest.fixture
def room(tmp_path: Path, platform: Platform, traffic: Traffic) -> Room:
    """A fresh one."""
    made = Room(tmp_path, platform)
    made.forget()
    return made
