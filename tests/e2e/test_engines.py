"""One home, each engine in turn: `flexoraa run --engine …` end to end, the same marts, and every command on the engine of the home."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.resources.dbt import DbtRunner
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import warehouse_of
from orchestration.resources.fingerprint import Mart
from orchestration.resources.settings import ENGINES, Settings
from orchestration.resources.state import open_state
from tests.e2e.conftest import END_AT, WARNED, Ran, flexoraa

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with traffic of two tenants in its inbox, whose actions reach nobody."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-engines-") as folder:
        home, traffic = Path(folder) / "home", Path(folder) / "traffic"
        assert flexoraa("simulate", "--out", traffic, "--tenants", "2", "--leads", "12", "--quiet").code == 0
        applied = flexoraa("tenant", "apply", traffic / "tenants.yaml", "--home", home)
        assert applied.code == 0, applied.err
        for segment in (traffic / "inbox").iterdir():
            segment.rename(home / "inbox" / segment.name)
        yield home


def run(home: Path, *arguments: str) -> Ran:
    return flexoraa("run", "--as-of", END_AT, "--home", home, "--quiet", *arguments, FLEXORAA_WHATSAPP_URL="http://127.0.0.1:1")


def fingerprints(home: Path) -> dict[str, Mart]:
    settings = Settings.load(home, {})
    with open_state(settings) as state:
        return dict(warehouse_of(settings, state.libpq_url).fingerprints())


def test_each_engine_builds_the_same_marts_and_the_home_keeps_to_the_last(home: Path) -> None:
    found, counts = {}, {}
    for engine in ENGINES:
        ran = run(home, "--engine", engine)
        assert ran.code in {0, 3}, ran.err
        summary, status = ran.json(), flexoraa("status", "--json", "--home", home).json()
        assert (summary["errors"], summary["checks_failed"]) == (
            [],
            [WARNED],
        )
        assert (status["engine"], status["warehouse"], status["marts"]) == (engine, "ready", summary["marts"])
        found[engine], counts[engine] = fingerprints(home), summary["marts"]
    assert found["duckdb"] == found["postgres"] == found["spark"]
    assert counts["duckdb"] == counts["postgres"] == counts["spark"]
    assert counts["spark"]["dim_leads"] >= 24

    assert run(home).json()["marts"] == counts["spark"]  # a session over what lies there, without being told the engine again
    assert fingerprints(home) == found["spark"]


def test_one_mart_alone_is_built_on_what_an_earlier_session_left(home: Path) -> None:
    """As from Dagster's UI: tables and views that are not selected are those of the last build; what a killed process left is nothing."""
    settings, before = Settings.load(home, {}), fingerprints(home)
    torn = settings.spark_warehouse / "marts.db" / "dim_leads"
    (torn / "_SUCCESS").unlink()
    with closing(DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, None))) as dbt:
        built = [event["data"]["node_info"]["node_name"] for event in dbt.build(["--select", "dim_leads"]) if "node_info" in event["data"]]
    assert "dim_leads" in built
    assert "fct_messages" not in built
    assert fingerprints(home) == before


def test_a_question_is_answered_by_spark_and_may_only_read(home: Path) -> None:
    assert Settings.load(home, {}).engine == "spark", "the test above comes first"
    question = "select count(*) as n, max(unix_micros(first_seen_at)) > 0 as late from marts.dim_leads"
    asked = flexoraa("sql", question, "--format", "json", "--home", home)
    assert asked.json() == [{"n": warehouse_of(Settings.load(home, {}), "").row_counts()["dim_leads"], "late": True}], asked.err
    refused = flexoraa("sql", "drop table marts.dim_leads", "--home", home)
    assert (refused.code, "only reading" in refused.err) == (1, True)
