"""Leads as a model sees them: rows of `ftr_leads` with their ground truth.

Here belong the contract of features, and rows for training, for scoring and for comparing versions. Not here: fitting (`ml.training`),
champions (`assets.model_governance`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.features import Contract, Feature
from ml.labels import Word, history, is_open, label
from ml.training import Rows

MODEL = "lead_conversion"

Row = Mapping[str, Any]
_NUMBERS = (
    "budget_minor", "timeline_days", "confidence", "score", "signal_points", "inbound_count", "inbound_count_7d", "outbound_count",
    "human_outbound_count", "turn_count", "booking_count", "no_show_count", "last_reply_seconds", "silent_seconds", "age_seconds",
    "has_objection", "has_buying_signal", "is_assigned", "is_opted_out",
)  # fmt: skip
_TEXTS = ("intent", "tier")
CONTRACT = Contract((*(Feature(each, "number", "moment") for each in _NUMBERS), *(Feature(each, "category", "moment") for each in _TEXTS)))
"""Every one of them is of the instant `featured_at` by the construction of `ftr_leads`, which holds nothing of what came later."""


class Snapshot(NamedTuple):
    """Leads at instants: their rows of `ftr_leads` in order, and what is known of how each ended."""

    rows: Sequence[Row]
    outcome: NDArray[np.float64]
    known_at: NDArray[np.float64]

    def columns(self, contract: Contract = CONTRACT) -> dict[str, NDArray[Any]]:
        """The features, as `ml.features` wants them."""
        found: dict[str, NDArray[Any]] = {}
        for each in contract.features:
            values = [row[each.name] for row in self.rows]
            if each.kind == "number":
                found[each.name] = np.array([np.nan if value is None else float(value) for value in values])
            else:
                found[each.name] = np.array(values, dtype=object)
        return found

    def part(self, kept: NDArray[Any]) -> "Snapshot":
        """Some of them."""
        return Snapshot([self.rows[int(place)] for place in np.flatnonzero(kept)], self.outcome[kept], self.known_at[kept])

    @property
    def moment(self) -> NDArray[np.float64]:
        """When each row speaks."""
        return np.array([stamp(row["featured_at"]) for row in self.rows])

    @property
    def tenant(self) -> NDArray[np.str_]:
        """Whose each row is."""
        return np.array([row["tenant_id"] for row in self.rows], dtype=str)


def stamp(moment: datetime) -> float:
    """Microseconds since 1970: exact as a float until the year 2255."""
    return float((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def words_of(outcomes: Sequence[Row]) -> Mapping[tuple[str, str], Sequence[Word]]:
    """What was said of each lead, from rows of `fct_lead_outcomes`."""
    return history(
        ((row["tenant_id"], row["lead_id"]), Word(row["event_id"], row["outcome"] == "won", row["occurred_at"])) for row in outcomes
    )


def snapshot(features: Sequence[Row], outcomes: Sequence[Row], as_of: datetime, horizon_days: int) -> Snapshot:
    """Every instant of every lead that was open then, up to a moment, with its label as it is known at that moment."""
    words, horizon = words_of(outcomes), timedelta(days=horizon_days)
    kept, outcome, known = [], [], []
    for row in sorted(features, key=lambda row: (row["featured_at"], row["tenant_id"], row["lead_id"])):
        own = words.get((row["tenant_id"], row["lead_id"]), ())
        at = row["featured_at"]
        if at > as_of or not is_open(own, at):
            continue
        found = label(own, at, horizon, as_of)
        kept.append(row)
        outcome.append(np.nan if found.outcome is None else float(found.outcome))
        known.append(stamp(found.known_at))
    return Snapshot(kept, np.array(outcome, dtype=float), np.array(known, dtype=float))


def latest(found: Snapshot) -> Snapshot:
    """The last instant of each lead: what is scored."""
    last = {(row["tenant_id"], row["lead_id"]): place for place, row in enumerate(found.rows)}
    kept = np.zeros(len(found.rows), dtype=bool)
    kept[list(last.values())] = True
    return found.part(kept)


def training_rows(found: Snapshot) -> Rows:
    """Rows to learn from: each lead counts as one, however many instants it has."""
    leads = [(row["tenant_id"], row["lead_id"]) for row in found.rows]
    counts: dict[tuple[str, str], int] = {}
    for each in leads:
        counts[each] = counts.get(each, 0) + 1
    weight = np.array([1 / counts[each] for each in leads])
    return Rows(found.columns(), found.moment, found.outcome, found.known_at, found.tenant, weight)
