"""A program that continues a build with the platform's own parts and kills itself once a named model is built, or before the first one.

Here belongs dying; what must be true afterwards is told in test_increments.py. Arguments: home, model (or "begun").
"""

import os
import signal
import sys
from pathlib import Path

from orchestration.resources.dbt import DbtRunner
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import warehouse_of
from orchestration.resources.settings import Settings
from tests.dbt.engines import MODELS_ONLY


def main(home: Path, model: str) -> None:
    """Begin, build, die: the reference files say the moment."""
    settings = Settings.load(home, {})
    warehouse = warehouse_of(settings, "postgresql://nowhere/none")
    dbt = DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, None))
    begun = warehouse.begin()
    assert not begun.why, begun.why
    if model == "begun":
        die()
    for event in dbt.build(MODELS_ONLY):
        if event["data"].get("node_info", {}).get("node_name") == model:
            die()


def die() -> None:
    """At once and without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
