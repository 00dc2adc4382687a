"""`flexoraa drift`: a look at a week now, and what looks so far came to.

Here belongs what a week and a moment mean when they are left out. Not here: the command line (`drift_cli`), the verdict
(`assets.model_drift`).
"""

import json
from datetime import date, datetime, timedelta
from typing import Any

from core.drift_ports import Week
from orchestration.resources.clients import alone
from orchestration.resources.clock import SystemClock
from orchestration.resources.drift import DriftError, PostgresDrift
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state

Only = tuple[str | None, str | None]


def look(settings: Settings, day: str | None, as_of: datetime | None, only: Only, *, with_report: bool) -> dict[str, Any]:
    """Judge a week of the models that are asked for; waits for a run that is under way.

    Raises:
        DriftError: the day is no date, or its week has not begun.
    """
    from assets.model_drift import judge  # here: numpy and scipy, 0.6 s that `drift show` does not need
    from orchestration.resources.engines import warehouse_of
    from orchestration.resources.scored_rows import WarehouseScoredRows

    moment = as_of or SystemClock().now()
    week = _week(day, moment)
    with open_state(settings) as state, alone(settings.home):
        drift, warehouse = PostgresDrift(state), warehouse_of(settings, state.libpq_url)
        rows = WarehouseScoredRows(warehouse)
        said, judged = judge(warehouse, rows, drift, drift, week, moment, only)
        pages = {}
        if with_report:
            from assets.drift_pages import pages_of
            from orchestration.resources.pages import FolderPages

            pages = pages_of(rows, drift, drift, week, moment, only)
            FolderPages(settings.reports).write(pages)
    names = (
        "tenant_id",
        "model",
        "version",
        "week_date",
        "severity",
        "state",
        "row_count",
        "outcome_count",
        "auc",
        "estimated_auc",
        "blind",
        "look",
    )
    models = [{name: getattr(each, name) for name in names} | {"reasons": json.loads(each.reasons)} for each in judged]
    return {"state": said, "week": week.since.date(), "models": models, "pages": [str(settings.reports / name) for name in pages]}


def history(settings: Settings, only: Only) -> list[dict[str, Any]]:
    """Every verdict so far, the newest last."""
    with open_state(settings) as state:
        found = PostgresDrift(state).verdicts(*only)
    return [
        each.served._asdict() | {name: value for name, value in each._asdict().items() if name not in {"served", "digest"}}
        for each in found
    ]


def _week(day: str | None, moment: datetime) -> Week:
    if day is None:
        return Week.of((moment - timedelta(days=7)).date())
    try:
        week = Week.of(date.fromisoformat(day))
    except ValueError as error:
        raise DriftError(f"{day!r} is no date, such as 2026-11-16") from error
    if week.since > moment:
        raise DriftError(f"the week of {week.since:%Y-%m-%d} has not begun at {moment.isoformat()}")
    return week
