"""A build that somebody waits for: which of dbt's tests it leaves to the next whole one.

Here belongs that choice, told by the manifest. Not here: when a build is brief (`core.warehouse_ports`), building (`assets.warehouse`).
"""

from collections.abc import Mapping
from typing import Any

from assets.actions import PUBLISHED


def names_of_tests_that_may_wait(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the tests on what nobody acts on: 150 of 210, a third of the time that dbt takes."""
    acted_on = {f"model.flexoraa.{mart}" for mart in PUBLISHED}
    tests = [each for each in manifest["nodes"].values() if each["resource_type"] == "test"]
    return sorted(each["name"] for each in tests if each["attached_node"] not in acted_on)
