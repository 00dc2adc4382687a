"""Reasons in plain words.

Here belongs the wording. Not here: the numbers.
"""

from ml.drift.estimate import Estimate
from ml.drift.evidence import Evidence
from ml.drift.feature import Feature
from ml.drift.measures import Distances
from ml.drift.outcomes import Measured, Performance
from ml.drift.policy import Limits


def values(feature: Feature, far: Distances, found: Evidence, limits: Limits) -> str:
    """Of a column whose values moved."""
    where = feature.label(found.first, found.last)
    size = "" if far.psi is None else f"PSI {far.psi:.2f}, {limits.critical:g} is critical"
    return f"values moved ({size}): {found.share:.1%} of rows {where}, {found.share_before:.1%} before"


def missing(far: Distances) -> str:
    """Of a column that lacks values."""
    return f"{far.missing:.1%} of rows have no value, {far.missing_before:.1%} before"


def unseen(feature: Feature, far: Distances) -> str:
    """Of values that the model was not made with."""
    where = "lie outside the range that the model was made with" if feature.kind == "number" else "are of categories that it never met"
    return f"{far.unseen:.1%} of rows {where}"


def auc(before: Measured, now: Measured) -> str:
    """Of a model that ranks worse."""
    return f"AUC {now.value:.3f} ({now.low:.3f} to {now.high:.3f}), {before.value:.3f} when the model was made"


def brier(before: Measured, now: Measured) -> str:
    """Of probabilities that are further from what came."""
    return f"Brier score {now.value:.4f} ({now.low:.4f} to {now.high:.4f}), {before.value:.4f} when the model was made"


def calibration(now: Performance) -> str:
    """Of probabilities that are too high or too low as a whole."""
    seen = now.positives / now.rows
    return f"probabilities are off: {seen + now.bias.value:.1%} expected, {seen:.1%} came, calibration error {now.ece.value:.3f}"


def estimated(before: Measured, guess: Estimate) -> str:
    """Of a model that is expected to rank worse."""
    return (
        f"AUC is expected at {guess.auc:.3f} ({guess.auc_low:.3f} to {guess.auc_high:.3f}) without outcomes, {before.value:.3f} when made"
    )


def too_few(rows: int, least: int) -> str:
    """Of a week of which nothing can be said."""
    return f"{rows} predictions in this week, {least} are needed: nothing is judged" if rows else "no predictions in this week"


def nothing(rows: int, columns: int) -> str:
    """Of a week without a finding."""
    return f"no drift in {columns} columns over {rows} rows"
