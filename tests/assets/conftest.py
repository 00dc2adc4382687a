"""What the tests of delivery share: one installation and a fresh tenant a test."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestration.receiver import Receiver
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault
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
