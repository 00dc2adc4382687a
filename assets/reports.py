"""The report site as assets: a page a topic, made together, since they ask the warehouse at one moment.

Here belongs when the pages are made, and what Dagster is told of them. Not here: what they ask (`assets.pages`).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets.pages.menu import TOPICS
from core.experiments import Pages
from core.reading import Readings
from ml.reports.site.parts import Topic

if TYPE_CHECKING:
    from assets.site import Made

_NAMES = {"experiments": "experiment_index"}
"""Where a page's asset is not called as its topic: `reports/experiments` are the pages of single experiments."""

SITE = [dg.AssetKey(["reports", _NAMES.get(topic.name, topic.name)]) for topic in TOPICS]
_LAST = [dg.AssetKey(["ops", "deliveries"]), dg.AssetKey(["ops", "experiment_kills"])]
"""What a run does last: pages tell of it."""


def _spec(topic: Topic, key: dg.AssetKey) -> dg.AssetSpec:
    own = [dg.AssetKey(name.split("/")) for name in topic.assets if not name.startswith("reports/")]
    return dg.AssetSpec(
        key,
        deps={*own, *_LAST},
        description=f"The page “{topic.title}”. {topic.says}",
        group_name="reports",
        owners=["team:product"],
        kinds={"html"},
    )


@dg.multi_asset(
    specs=[_spec(topic, key) for topic, key in zip(TOPICS, SITE, strict=True)],
    name="report_site",
    can_subset=True,
    check_specs=[
        dg.AssetCheckSpec(
            "every_question_is_answered",
            asset=SITE[0],
            description="Warns where a question of a page could not be asked: a mart is missing, or the question is wrong.",
        )
    ],
)
def report_site(
    context: dg.AssetExecutionContext,
    readings: dg.ResourceParam[Readings],
    pages: dg.ResourceParam[Pages],
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Ask, lay out, write; pages that say the same as before stay untouched."""
    from assets.site import build  # here: what lays out, which a code location does not need

    chosen = [topic.name for topic, key in zip(TOPICS, SITE, strict=True) if key in context.selected_asset_keys]
    made = build(readings, pages.names(), chosen)
    pages.write(made.pages)
    for topic, key in zip(TOPICS, SITE, strict=True):
        if topic.name in chosen:
            yield dg.MaterializeResult(asset_key=key, metadata=_metadata(topic.name, made, readings.reports_url()))
    for asset, drawn in made.plots.items():
        if drawn.panels:  # an observation, for the asset was made before; the UI takes the row count from the newest
            plots = {title: dg.MetadataValue.md(text) for title, text in drawn.panels.items()}
            context.log_event(dg.AssetObservation(dg.AssetKey(asset.split("/")), metadata={"dagster/row_count": drawn.rows, **plots}))
    if any(check.asset_key == SITE[0] for check in context.selected_asset_check_keys):
        yield dg.AssetCheckResult(
            asset_key=SITE[0],
            check_name="every_question_is_answered",
            passed=not made.missing,
            severity=dg.AssetCheckSeverity.WARN,
            description="every question of the pages was answered" if not made.missing else "; ".join(
                f"{name}: {why}" for name, why in made.missing.items()),
            metadata={"unanswered": dict(made.missing)},
        )  # fmt: skip


def _metadata(topic: str, made: "Made", url: str) -> dict[str, dg.MetadataValue]:
    from ml.reports.site.frame import address  # as above

    name = address(topic, "")
    return {
        "page": dg.MetadataValue.url(f"{url}/{name}"),
        "in short": dg.MetadataValue.md(made.told[topic]),
        "pages": dg.MetadataValue.int(len(made.topics[topic])),
        "rows": dg.MetadataValue.int(made.rows[topic]),
        "bytes": dg.MetadataValue.int(len(made.pages[name].encode())),
    }
