"""The master key rotated: everybody stays readable, the lake stays as it is, and a kill at any step loses nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.audit import PLATFORM
from core.events import Point
from orchestration.cli import app
from orchestration.key_command import rotate
from orchestration.resources import rotation
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault, VaultError
from tests.orchestration.keeping import PEOPLE, TENANT, found, killed_at, lived, opened

QUIET = TerminalProgress(quiet=True)
STEPS = ("begun", "kept", "switched", "fenced", "batch of points", "batch of keys", "wrapped", "verified", "ended")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with lived() as made:
        yield made


def everybody(home: Path) -> set[str]:
    with opened(home) as (state, vault):
        return found(vault, state)


def test_a_rotation_killed_at_any_step_is_ended_by_the_next_and_nobody_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 4)
    people, lake = {point.value for point in PEOPLE}, (home / "warehouse.duckdb").read_bytes()
    keys = {(home / "secrets" / "master.key").read_bytes()}
    server = contextlib.ExitStack()
    server.enter_context(open_state(Settings.load(home, {})))  # it need not start for each
    for step in STEPS:
        killed_at(step, lambda watch: rotate(Settings.load(home, {}), QUIET, watch))
        if step not in {"begun", "ended"}:
            with pytest.raises(SettingsError, match="has not ended: run flexoraa key rotate"):
                Settings.load(home, {}).master_key()
        told = rotate(Settings.load(home, {}), QUIET)
        assert told["keys"]["points"] == len(PEOPLE)
        assert everybody(home) == people, step
        assert not (home / "secrets" / "master.key.old").exists()
        keys.add((home / "secrets" / "master.key").read_bytes())
    server.close()
    assert len(keys) > len(STEPS) and (home / "warehouse.duckdb").read_bytes() == lake
    assert [path.name for path in (home / "secrets").iterdir()] == ["master.key"]
    with opened(home) as (state, vault):
        assert {entry.action for entry in PostgresAudit(state, vault).entries(PLATFORM)} == {"key.rotated"}


def test_a_process_from_before_the_rotation_wraps_nothing_more_and_says_what_to_do(home: Path) -> None:
    settings = Settings.load(home, {})
    with opened(home) as (state, _):
        old = Vault(state, settings.master_key())
        old.points(TENANT, PEOPLE[:1])
        rotate(Settings.load(home, {}), QUIET)
        with pytest.raises(VaultError, match="start this process again"):
            old.points(TENANT, [Point("email", "late@example.org")])
        with state.psycopg() as connection:
            assert connection.execute("select count(*) from vault.points").fetchone() == (len(PEOPLE),)
        fresh = Vault(state, settings.master_key())
        assert fresh.points(TENANT, PEOPLE[:1]).keys() == {PEOPLE[0]}


def test_whoever_was_erased_gets_no_key_again_and_a_third_key_is_refused(home: Path) -> None:
    with opened(home) as (state, vault):
        point_id = vault.points(TENANT, [Point("email", "gone@example.org")])[Point("email", "gone@example.org")].point_id
        with state.psycopg() as connection:
            connection.execute(
                "update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s", (point_id,)
            )
        rotate(Settings.load(home, {}), QUIET)
        assert Vault(state, Settings.load(home, {}).master_key()).keys(TENANT, [point_id]) == {}
        with pytest.raises(VaultError, match="third master key"):
            rotation.rewrap(state, b"a" * 32, b"b" * 32, QUIET)
    assert everybody(home) == {point.value for point in PEOPLE}


def test_a_key_of_the_environment_is_rotated_by_naming_both(home: Path) -> None:
    text = (home / "secrets" / "master.key").read_text().strip()
    fresh = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    with pytest.raises(SettingsError, match="FLEXORAA_OLD_MASTER_KEY"):
        rotate(Settings.load(home, {"FLEXORAA_MASTER_KEY": fresh}), QUIET)
    both = {"FLEXORAA_MASTER_KEY": fresh, "FLEXORAA_OLD_MASTER_KEY": text}
    with pytest.raises(SettingsError, match="has not ended"):
        Settings.load(home, both).master_key()
    assert rotate(Settings.load(home, both), QUIET)["source"] == "environment"
    (home / "secrets" / "master.key").write_text(fresh + "\n")
    assert everybody(home) == {point.value for point in PEOPLE}


def doctor(home: Path) -> tuple[int, str]:
    shown = CliRunner().invoke(app, ["doctor", "--home", str(home)])
    return shown.exit_code, shown.output


def test_the_doctor_names_what_is_wrong_and_what_to_do(home: Path) -> None:
    code, said = doctor(home)
    assert code == 3 and "fail" not in said and "warn  FLEXORAA_AUDIT_WITNESS" in said and "ok    vault: opens" in said, said
    (home / "secrets").chmod(0o750)
    (home / "secrets" / "master.key").chmod(0o644)
    (home / "settings.env").write_text("FLEXORAA_MASTER_KEY=x\n")
    try:
        code, said = doctor(home)
    finally:
        (home / "secrets").chmod(0o700)
        (home / "secrets" / "master.key").chmod(0o600)
        (home / "settings.env").unlink()
    assert code == 1
    for word in (
        "fail  permissions of secrets: mode 0750",
        "→ chmod 700",
        "fail  secret files: 1",
        "fail  place of the master key",
        "fail  master key",
    ):
        assert word in said, said
    with opened(home) as (state, _), state.owner() as connection:
        connection.execute("create table ops.bare (tenant_id text)")
        connection.commit()
        code, said = doctor(home)
        connection.execute("drop table ops.bare")
    assert code == 1 and "fail  row-level security: missing: ops.bare" in said
    assert doctor(home.parent / "nowhere")[0] == 1
