"""What Dagster costs: a run with nothing new against one bare `dbt build`, and loading the code location against importing dagster_dbt.

`python -m benchmarks.orchestration [--leads 60] [--runs 3] --json`
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._claim import ROOT, Claim, best_seconds

END_AT = "2026-11-20T12:00:00Z"
PROJECT = ROOT / "dbt_project"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=60, help="leads of each of 3 tenants")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        for claim in measure(Path(folder), options.leads, options.runs):
            print(claim.report(), flush=True)


def measure(folder: Path, leads: int, runs: int) -> list[Claim]:
    """Both claims, on a home that a first run has filled."""
    home, traffic = folder / "home", folder / "traffic"
    flexoraa = [sys.executable, "-m", "orchestration.cli"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_"))}
    for command in (
        ["simulate", "--out", str(traffic), "--leads", str(leads), "--quiet"],
        ["tenant", "apply", str(traffic / "tenants.yaml"), "--home", str(home)],
    ):
        subprocess.run([*flexoraa, *command], check=True, env=env, cwd=ROOT, capture_output=True)
    for segment in (traffic / "inbox").iterdir():
        segment.rename(home / "inbox" / segment.name)
    run = [*flexoraa, "run", "--as-of", END_AT, "--home", str(home), "--quiet"]
    subprocess.run(run, check=False, env=env, cwd=ROOT, capture_output=True)  # ends with 3: the planted rejects
    # The same nodes as a run builds, from the same parsed project, in one process of its own.
    dbt_env = env | {"FLEXORAA_DBT_WAREHOUSE": str(home / "warehouse.duckdb")}
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(home / "dbt_target")]
    dbt = [str(Path(sys.executable).parent / "dbt"), "--log-path", str(home / "logs"), "build", "--exclude-resource-type", "unit_test"]
    size = f"3 tenants × {leads} leads"
    return [
        Claim(
            "a run of the whole graph with nothing new",
            best_seconds(run, runs, env),
            "s",
            "one bare dbt build of the same project",
            best_seconds([*dbt, *places], runs, dbt_env),
            2.0,
            size,
        ),
        Claim(
            "loading the code location",
            best_seconds([sys.executable, "-c", "import orchestration.definitions"], runs, env),
            "s",
            "import dagster_dbt",
            best_seconds([sys.executable, "-c", "import dagster_dbt"], runs, env),
            1.5,
            size,
        ),
    ]


if __name__ == "__main__":
    main()
