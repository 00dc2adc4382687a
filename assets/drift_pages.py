"""From a week's rows and a baseline to the frames that a drift page shows.

Here belongs choosing and sampling rows. Not here: how the page looks (`ml.reports.drift`). No row of the baseline exists any more: its side
of the page is laid out from the frozen quantiles and counts, column by column, so no page shows anybody's features of back then.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from assets.model_drift import columns_of
from core.drift_ports import Baselines, Batch, DriftJournal, DriftVerdict, ScoredRows, Served, Week
from ml.columns import Coded, Column
from ml.drift.baseline import PREDICTION, Baseline
from ml.drift.feature import Feature
from ml.reports.drift import DriftPage, render

SAMPLE = 20_000
"""Rows of a week above which the page shows a sample: Evidently took 66 s for 500,000 rows of 20 columns."""

_LAID_OUT = 5_000
_SEED = 20_261_123


def page_name(served: Served, week: Week) -> str:
    """Where the page of a version's week lies, from the reports' folder."""
    return f"drift/{served.tenant_id}--{served.model}--{served.version}--{week.since:%Y-%m-%d}.html"


def pages_of(
    rows: ScoredRows, baselines: Baselines, journal: DriftJournal, week: Week, as_of: datetime, only: tuple[str | None, str | None]
) -> dict[str, str]:
    """A page for each version that was in service in the week and has a baseline; none where it predicted nothing."""
    tenant_id, model = only
    made = {}
    for served in rows.served(week, as_of) or ():
        stored = baselines.baseline(served)
        if stored is None or tenant_id not in {None, served.tenant_id} or model not in {None, served.model}:
            continue
        baseline = Baseline.from_json(stored.baseline)
        features = {each.name: each for each in baseline.parts[0].features}
        seen, sampled = sample(rows.batches(served, sorted(features.keys() - {PREDICTION}), week, as_of), SAMPLE)
        if not seen:
            continue
        own = {name: feature for name, feature in features.items() if name in sampled}
        newest = [
            each
            for each in journal.verdicts(served.tenant_id, served.model)
            if (each.served, each.week_date) == (served, week.since.date())
        ]
        page = _page(served, week, newest[-1] if newest else None, seen)
        made[page_name(served, week)] = render(
            page,
            pd.DataFrame({name: laid_out(feature) for name, feature in own.items()}),
            pd.DataFrame({name: _shown(sampled[name]) for name in own}),
            [name for name, feature in own.items() if feature.kind == "number"],
            [name for name, feature in own.items() if feature.kind == "category"],
        )
    return made


def sample(batches: Iterable[Batch], most: int) -> tuple[int, dict[str, Column]]:
    """How many rows there are, and at most so many of them: those with the smallest random numbers from a fixed seed."""
    rng = np.random.default_rng(_SEED)
    kept_keys, kept, seen = np.zeros(0), pd.DataFrame(), 0
    for batch in batches:
        keys = np.concatenate([kept_keys, rng.random(batch.rows)])
        frame = pd.concat([kept, pd.DataFrame({name: _shown(each) for name, each in columns_of(batch.columns).items()})], ignore_index=True)
        chosen = np.sort(np.argsort(keys, kind="stable")[:most])
        kept_keys, kept, seen = keys[chosen], frame.iloc[chosen].reset_index(drop=True), seen + batch.rows
    return seen, {str(name): kept[name].to_numpy() for name in kept.columns}


def laid_out(feature: Feature) -> np.ndarray[Any, Any]:
    """Rows of a column as the baseline says they were spread: evenly over its quantiles, or by its counts; a missing share of none."""
    missing = round(_LAID_OUT * feature.missing / feature.rows)
    rows = _LAID_OUT - missing
    if feature.kind == "number":
        found = np.interp((np.arange(rows) + 0.5) / rows * 100, np.arange(101), feature.sketch)
        return np.concatenate([found, np.full(missing, np.nan)])
    own, others = feature.values[: len(feature.counts) - 1], feature.values[len(feature.counts) - 1 :]
    shares = np.array([*feature.counts[:-1], *[feature.counts[-1] / len(others)] * len(others)]) / feature.present
    ends = np.round(np.cumsum(shares) * rows).astype(int)
    names = np.array([*own, *others], dtype=object)
    return np.concatenate([np.repeat(names, np.diff(ends, prepend=0)), np.full(missing, None)])


def _shown(column: Column) -> np.ndarray[Any, Any]:
    if not isinstance(column, Coded):
        return np.asarray(column)
    names = np.array([*column.values, None], dtype=object)  # the last for code -1
    found: np.ndarray[Any, Any] = names[np.asarray(column.codes)]
    return found


def _page(served: Served, week: Week, verdict: DriftVerdict | None, seen: int) -> DriftPage:
    notes: list[str] = [f"{seen:,} predictions in the week from {week.since:%Y-%m-%d}, each lead by its last."]
    if seen > SAMPLE:
        notes.append(f"The figures show {SAMPLE:,} of them, drawn with a fixed seed; the verdict counts all.")
    notes.append("The reference is laid out from the baseline's quantiles and counts: no row of it was kept.")
    told: Mapping[str, Any] = {"verdict": "not judged yet", "reasons": []}
    if verdict is not None:
        told = {"verdict": f"{verdict.severity} (look {verdict.look}, {verdict.judged_at:%Y-%m-%d %H:%M} UTC)", "reasons": verdict.reasons}
    return DriftPage(f"Drift of {served.model} {served.version}, {served.tenant_id}", notes=notes, **told)
