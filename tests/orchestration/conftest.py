"""One installation with a started embedded PostgreSQL, shared by the session: tests keep apart by tenant."""

import tempfile
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import httpx
import pytest

from orchestration.receiver import Receiver
from orchestration.resources.clock import FixedClock
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW, Scene
from tests.orchestration.privacy_world import World, world
from tests.orchestration.pulling import Pulling
from tests.orchestration.vendors import serving

if TYPE_CHECKING:
    from assets.model_training import Made
    from orchestration.resources.registry import MlflowRegistry
    from tests.orchestration.model_world import ModelWorld


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A home of its own directly below the temporary folder: pytest's own folders make socket paths long."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    """Its settings, free of this machine's environment."""
    return Settings.load(home, {})


@pytest.fixture(scope="session")
def state(settings: Settings) -> Iterator[State]:
    """Its state, at the newest step."""
    with open_state(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def vault(settings: Settings, state: State) -> Vault:
    """Its vault."""
    return Vault(state, settings.master_key())


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, state: State, vault: Vault) -> Iterator[Scene]:
    """A fresh tenant over an empty outbox and an inbox of its own."""
    with state.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox")
    with Receiver(tmp_path / "record.ndjson") as receiver, httpx.Client() as client:
        yield Scene(f"t{uuid.uuid4().hex[:10]}", tmp_path, tmp_path / "inbox", state, vault, receiver, client)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """The installation at the scene's moment."""
    with open_platform(settings, FixedClock(NOW)) as opened:
        yield opened


@pytest.fixture(scope="session")
def dagster_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """A real one, with its storage on disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


@pytest.fixture
def instance(dagster_storage: dg.DagsterInstance) -> dg.DagsterInstance:
    """The same, where nobody's runs are on their way."""
    for each in dagster_storage.get_runs():
        dagster_storage.delete_run(each.run_id)
    return dagster_storage


@pytest.fixture
def pulling(tmp_path: Path, settings: Settings, state: State, vault: Vault) -> Iterator[Pulling]:
    """A fresh tenant with vendors of its own over an empty inbox; as long as it lasts, nobody else's account may be asked."""
    with state.psycopg() as connection:
        others = connection.execute("delete from vault.secrets where purpose = 'access_token' returning *").fetchall()
    with serving() as vendors, httpx.Client(timeout=5) as client:
        made = Pulling(vendors, settings, state, vault, client, tmp_path)
        made.clear()
        yield made
        made.clear()
    with state.psycopg() as connection, connection.cursor() as cursor:
        cursor.execute("delete from vault.secrets where purpose = 'access_token'")
        cursor.executemany("insert into vault.secrets values (%s, %s, %s, %s, %s, %s, %s)", others)


@pytest.fixture(scope="module")
def people() -> Iterator[World]:
    """An installation with some people; each test asks for somebody of its own. A module's alone: merges and decisions outlast a test."""
    with world(leads=30, others=1, tenants=1) as made:
        yield made


@pytest.fixture(scope="session")
def registry(state: State, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> "MlflowRegistry":
    """A registry of models over the same state."""
    from orchestration.resources.registry import MlflowRegistry

    return MlflowRegistry(state, vault, tmp_path_factory.mktemp("models"))


@pytest.fixture
def model_world(registry: "MlflowRegistry") -> "ModelWorld":
    """A fresh tenant without leads."""
    from tests.orchestration.model_world import ModelWorld

    return ModelWorld(f"t{uuid.uuid4().hex[:10]}", registry)


@pytest.fixture(scope="module")
def calm(registry: "MlflowRegistry") -> "tuple[ModelWorld, datetime, Made]":
    """A tenant whose world does not move, with its first champion."""
    from assets.model_governance import first
    from tests.orchestration.model_world import ModelWorld

    world = ModelWorld(f"t{uuid.uuid4().hex[:10]}", registry)
    as_of = world.live(1.0, seed=1)
    made = world.train(as_of)
    verdict = first(registry, made, as_of, "test")
    assert verdict is not None
    assert verdict.kind == "promote", verdict
    return world, as_of, made
