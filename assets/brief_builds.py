"""A build that somebody waits for: what of dbt's work it leaves to the next whole one, and how dbt is asked for the rest.

Here belongs that choice, told by the manifest. Not here: when a build is brief (`core.warehouse_ports`), building (`assets.warehouse`).
"""

from collections.abc import Mapping
from typing import Any

from assets.actions import PUBLISHED


def looking_tests(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the tests on what is acted on: 55 of 213; to run all takes a third of the time that dbt takes."""
    acted_on = {f"model.flexoraa.{mart}" for mart in PUBLISHED}
    tests = [each for each in manifest["nodes"].values() if each["resource_type"] == "test"]
    return sorted(each["name"] for each in tests if each["attached_node"] in acted_on)


def brief_selection(manifest: Mapping[str, Any], *, is_steady: bool) -> list[str]:
    """Arguments for dbt: all models with the tests on what is acted on; without views and seeds where the last build left them as they are.

    What stays is named and not what goes: dbt looks at every node for every name, and 158 names cost 1.2 s more than 55. No manifest is
    written, which takes 1.1 s: documentation is made from that of the last whole build.
    """
    left_out = ["--exclude", "config.materialized:view"] if is_steady else []
    seeds = [] if is_steady else ["resource_type:seed"]
    selected = ["--select", "resource_type:model", *seeds, *looking_tests(manifest), *left_out]
    return [*selected, "--indirect-selection", "empty", "--no-write-json"]
