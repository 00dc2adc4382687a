"""What dbt's profile tells DuckDB: each setting where DuckDB takes it, also in the middle of a build that has spilled."""

import os
from pathlib import Path

import duckdb
import yaml
from jinja2 import Environment

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
