"""Suites of great-expectations over what entered the lake in the last day: types, filled columns, words, ranges, freshness and volume.

Here belongs the looking. Not here: what is expected (`core.quality`), that nothing is lost (`assets.checks`, which blocks). These
checks warn, and run once a day in a job of their own: importing great-expectations alone takes 8 s of processor time.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from core.columns import ColumnType
from core.events import EVENT_TYPES, Event
from core.ports import Clock, Lake
from core.quality import DAY, HISTORY, rules, stale_before, usual_rows

_SHOWN = 20
NAME = "expectations"
_TYPES: dict[ColumnType, list[str]] = {"text": ["str"], "int": ["int"], "float": ["float"], "bool": ["bool"], "time": ["datetime"]}


@dg.multi_asset_check(
    name="lake_quality",
    specs=[
        dg.AssetCheckSpec(
            NAME,
            asset=dg.AssetKey(["lake", each.table]),
            description="What entered in the last day has its types, is filled, in range, fresh, and as much as usual.",
        )
        for each in EVENT_TYPES
    ],
)
def lake_quality(lake: dg.ResourceParam[Lake], clock: dg.ResourceParam[Clock]) -> Iterator[dg.AssetCheckResult]:
    """One check a table; values are never shown, only how many are wrong."""
    now = clock.now()
    suites = Suites()
    for event_type in EVENT_TYPES:
        arrived = lake.arrivals(event_type, now - DAY, now)
        counts = lake.received_per_day(event_type, now - HISTORY - DAY, now)
        today, *earlier = counts
        wrong = suites.look(event_type, arrived, earlier, now)
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey(["lake", event_type.table]),
            check_name=NAME,
            passed=not wrong,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"rows": today, "wrong": wrong[:_SHOWN], "wrong_count": len(wrong)},
            description="as expected" if not wrong else f"{len(wrong)} expectations are not met, the first: {wrong[0]}",
        )


class Suites:
    """The library, imported when the first suite is looked at."""

    def __init__(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # it reads this when imported, and would call home
        import great_expectations as gx
        import pandas as pd
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._gx, self._pd = gx, pd
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._source = context.data_sources.add_pandas("lake")

    def look(self, event_type: type[Event], arrived: Mapping[str, Any], earlier: list[int], now: datetime) -> list[str]:
        """What is not as expected, in words."""
        expect = self._gx.expectations
        made: list[Any] = []
        for rule in rules(event_type, now):
            match rule.kind:
                case "typed" if rule.type is not None:
                    made.append(expect.ExpectColumnValuesToBeInTypeList(column=rule.column, type_list=_TYPES[rule.type]))
                case "filled":
                    made.append(expect.ExpectColumnValuesToNotBeNull(column=rule.column))
                case "one_of":
                    made.append(expect.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.values)))
                case "between":
                    made.append(expect.ExpectColumnValuesToBeBetween(column=rule.column, min_value=rule.least, max_value=rule.most))
        if usual := usual_rows(earlier):
            made.append(expect.ExpectTableRowCountToBeBetween(min_value=usual[0], max_value=usual[1]))
        if stale := stale_before(earlier, now):
            made.append(expect.ExpectColumnMaxToBeBetween(column="received_at", min_value=stale))
        suite = self._gx.ExpectationSuite(name=event_type.table, expectations=made)
        batch = self._source.add_dataframe_asset(event_type.table).add_batch_definition_whole_dataframe("day")
        found = batch.get_batch(batch_parameters={"dataframe": self._pd.DataFrame(arrived, dtype=object)}).validate(suite)
        return [_words(each) for each in found.results if not each.success]


def _words(result: Any) -> str:
    config = result.expectation_config
    count = result.result.get("unexpected_count")
    about = config.kwargs.get("column", "the number of rows")
    told = f"{count} values" if count is not None else f"{result.result.get('observed_value', 'could not be looked at')}"
    return f"{about}: {config.type.removeprefix('expect_').replace('_', ' ')}: {told}"
