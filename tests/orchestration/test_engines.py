"""Which engine an installation has: chosen once, kept by the home, refused where something is missing for it."""

from pathlib import Path

import pytest

from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import require
from orchestration.resources.settings import Settings, SettingsError


def test_the_home_keeps_the_engine_that_a_run_was_given(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text("# ours\nFLEXORAA_ENGINE=duckdb\nFLEXORAA_HTTP_READ_SECONDS=9\n")
    Settings.load(tmp_path, {}, engine="postgres").keep_engine()
    assert Settings.load(tmp_path, {}).engine == "postgres"
    assert Settings.load(tmp_path, {}).http_read_seconds == 9
    assert Settings.load(tmp_path, {"FLEXORAA_ENGINE": "duckdb"}).engine == "duckdb"
    before = (tmp_path / "settings.env").read_text()
    Settings.load(tmp_path, {}).keep_engine()
    assert (tmp_path / "settings.env").read_text() == before


def test_a_home_that_is_not_there_yet_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Settings.load(tmp_path / "home", {}, engine="spark").keep_engine()
    assert Settings.load(tmp_path / "home", {}).engine == "spark"
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("version", [None, "1.8.0_402", "11.0.22"])
def test_without_pyspark_or_java_17_spark_is_refused_with_what_to_install(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is not None:
        java = tmp_path / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SettingsError, match=r"make setup-spark|openjdk-17-jre-headless"):
        require(Settings.load(tmp_path, {}, engine="spark"))
    require(Settings.load(tmp_path, {}, engine="duckdb"))


def test_dbt_gets_the_password_in_a_variable_that_it_masks_and_no_other(tmp_path: Path) -> None:
    url = "postgresql://u:hunter2@h:5433/flexoraa?sslmode=require"
    found = dbt_environment(Settings.load(tmp_path, {}, engine="postgres"), url)
    assert [name for name, value in found.items() if "hunter2" in value] == ["DBT_ENV_SECRET_FLEXORAA_PG_PASSWORD"]
    assert (found["FLEXORAA_DBT_PG_DATABASE"], found["FLEXORAA_DBT_PG_HOST"], found["PGSSLMODE"]) == ("flexoraa_warehouse", "h", "require")
    assert "hunter2" not in str(dbt_environment(Settings.load(tmp_path, {}), url))
