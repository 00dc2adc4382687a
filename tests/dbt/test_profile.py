"""What dbt's profile tells DuckDB: each setting where DuckDB takes it, also in the middle of a build that has spilled; the same everywhere."""

import os
from pathlib import Path

import duckdb
import yaml
from jinja2 import Environment

from orchestration.resources.dbt import DbtRunner, ensure_manifest
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.settings import Settings

PROFILES = Path(__file__).resolve().parents[2] / "dbt_project" / "profiles.yml"


def test_every_cursor_can_be_opened_after_something_was_spilled(tmp_path: Path) -> None:
    """dbt sets `settings` anew on each cursor; `config_options` once."""
    told = {"FLEXORAA_DBT_DUCKDB_MEMORY": "100MB", "FLEXORAA_DBT_DUCKDB_SPILL": str(tmp_path / "spill")}
    environment = Environment(autoescape=False)  # noqa: S701 — YAML, not HTML
    environment.filters["as_number"] = int
    text = environment.from_string(PROFILES.read_text()).render(
        env_var=lambda name, default="": told.get(name, os.environ.get(name, default))
    )
    profile = yaml.safe_load(text)["flexoraa"]["outputs"]["duckdb"]
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config=profile["config_options"]) as connection:
        connection.execute("create table large as select i, repeat(md5(i::text), 4) as words from range(2_000_000) as t (i)")
        one = connection.cursor().execute("select * from large order by words desc")
        assert one.fetchone() is not None
        assert any((tmp_path / "spill").iterdir()), "nothing was spilled: the test shows nothing"
        for name, value in profile["settings"].items():
            connection.cursor().execute(f"set {name} = '{value}'")


def test_a_new_installation_reads_no_model_again_unless_it_sets_something(tmp_path: Path) -> None:
    """dbt parses everything where the connection is another one than that of the manifest: 4 s of a first run."""
    ensure_manifest()
    parsed_again = {}
    for memory in ("", "1GB"):
        home = tmp_path / f"home{memory}"
        settings = Settings.load(home, {"FLEXORAA_DUCKDB_MEMORY": memory})
        settings.make_folders()
        dbt = DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, None))
        for _ in dbt.invoke("ls", ["--select", "dim_leads"]):
            pass
        dbt.close()
        parsed_again[memory] = "Unable to do partial parsing" in (settings.logs / "dbt.log").read_text()
    assert parsed_again == {"": False, "1GB": True}
