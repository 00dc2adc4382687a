"""Drift as the platform keeps it: rows of its marts, the journal of verdicts, and the ports to baselines and to what models said.

Here belong those shapes. Not here: how drift is judged (`ml.drift`), what follows from it (`core.models`), where anything is kept
(`orchestration.resources`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from msgspec import Struct

Severity = Literal["ok", "warn", "critical"]
State = Literal["judged", "no_rows", "too_few_rows", "no_baseline", "no_model"]


class ModelDrift(Struct, kw_only=True, frozen=True):
    """One column of one segment ('' is all rows) of a model's week against its baseline; the model's own probability is `prediction`.

    `p_*` are adjusted over all columns, segments and tests of the look. A distance is absent where there is none.
    """

    table: ClassVar[str] = "fct_model_drift"
    tenant_id: str
    model: str
    version: int
    segment: str
    feature: str
    severity: Severity
    reason: str
    row_count: int
    psi: float | None
    jensen_shannon: float | None
    kolmogorov_smirnov: float | None
    wasserstein: float | None
    missing_share: float
    missing_share_before: float
    unseen_share: float
    p_values: float
    p_missing: float
    p_unseen: float
    week_date: date
    judged_at: datetime


class ModelPerformance(Struct, kw_only=True, frozen=True):
    """One model's week: the verdict, performance on rows whose outcome became known in it, and the estimate without outcomes.

    Without a number there is a `reason`, a `not_measured` or a `blind`. `week_date` is the week's Monday, UTC.
    """

    table: ClassVar[str] = "fct_model_performance"
    tenant_id: str
    model: str
    version: int
    severity: Severity
    state: State
    reason: str
    reasons: str
    row_count: int
    outcome_count: int
    positive_count: int
    not_measured: str
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    brier: float | None
    brier_low: float | None
    brier_high: float | None
    ece: float | None
    ece_low: float | None
    ece_high: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    blind: str
    estimated_auc: float | None
    estimated_auc_low: float | None
    estimated_auc_high: float | None
    estimated_brier: float | None
    look: int
    level_warn: float
    level_critical: float
    week_date: date
    judged_at: datetime


class Served(NamedTuple):
    """A version of a tenant's model that made predictions."""

    tenant_id: str
    model: str
    version: int


class StoredBaseline(NamedTuple):
    """What a version was made with, as JSON of `ml.drift.baseline`."""

    served: Served
    baseline: bytes
    frozen_at: datetime


class Batch(NamedTuple):
    """Rows of one version: columns by name, numbers as arrays of floats (NaN where missing), text as a pair of codes and dictionary."""

    rows: int
    columns: Mapping[str, Any]


class DriftVerdict(NamedTuple):
    """One look at one week of one version, as the journal keeps it: added to, never changed.

    `digest` tells the rows apart: a look at the same rows is no new look. `level_*` is what the look spent.
    """

    served: Served
    week_date: date
    look: int
    severity: Severity
    state: State
    reasons: Sequence[str]
    row_count: int
    digest: str
    level_warn: float
    level_critical: float
    judged_at: datetime


class Week(NamedTuple):
    """Half-open, UTC, from a Monday."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, day: date) -> "Week":
        """The week that holds a day.

        >>> Week.of(date(2026, 11, 22)).since.isoformat()
        '2026-11-16T00:00:00+00:00'
        """
        monday = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=day.weekday())
        return cls(monday, monday + timedelta(days=7))


class Baselines(Protocol):
    """What versions were made with."""

    def freeze(self, stored: StoredBaseline) -> bool:
        """Keep one; False where this version has it already. Another baseline for the same version is refused."""
        ...

    def baseline(self, served: Served) -> StoredBaseline | None:
        """Of a version."""
        ...

    def models(self) -> Sequence[tuple[str, str]]:
        """Tenants and models that have any."""
        ...


class DriftJournal(Protocol):
    """Every verdict."""

    def record(self, verdicts: Sequence[DriftVerdict]) -> int:
        """Add them; those that are there already stay as they are. Returns how many were new."""
        ...

    def verdicts(self, tenant_id: str | None = None, model: str | None = None) -> Sequence[DriftVerdict]:
        """The oldest week first, within a week by look."""
        ...


class ScoredRows(Protocol):
    """What models said, with the features as they were then, each lead once a week by its last prediction in it."""

    def served(self, week: Week, as_of: datetime) -> Sequence[Served] | None:
        """Versions that predicted in a week or whose outcomes became known in it; None where no model has ever been in service."""
        ...

    def batches(self, served: Served, features: Sequence[str], week: Week, as_of: datetime) -> Iterator[Batch]:
        """Rows of a week, column `prediction` included; a feature that the marts lack is left out."""
        ...

    def outcomes(self, served: Served, week: Week, as_of: datetime) -> tuple[Any, Any]:
        """Probabilities and outcomes, both (rows,), of predictions whose outcome became known in the week."""
        ...
