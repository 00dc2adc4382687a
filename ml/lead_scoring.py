"""The probability that a lead converts, and what it is made of.

Here belongs a fitted model: from features to a calibrated probability, and to contributions that sum to its score. Not here: fitting it
(`ml.training`), reading features (`ml.features`), tiers (`ml.thresholds`), keeping it (`ml.model_file`).

The score is a log-odds in whole millionths: `shift + scale * mean(members)`, the members being logistic regressions and boosted trees. The
trees split on two features at most on any path, so the score is a sum of functions of one and of two features, and Shapley's values of it
are found exactly from 2 n evaluations (`LeadModel.explain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ml.columns import Column, Floats
from ml.features import Contract, Encoded, Encoder

MILLION = 1_000_000
_SUREST = 30 * MILLION  # a log-odds of 30 is a probability of 1 - 1e-13


class Scores(NamedTuple):
    """Of each row: the log-odds in millionths, and the probability that it is: arrays (rows,)."""

    score: NDArray[np.int64]
    probability: Floats


class Explanation(NamedTuple):
    """Of each row: `base` is the score of the typical lead, and `parts` (rows, features) what each feature adds; all in millionths.

    `base + parts.sum(axis=1)` is the score, to the last digit. `names` are the features, in the order of the columns.
    """

    base: int
    names: tuple[str, ...]
    parts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LeadModel:
    """A fitted model. `logistic` holds the mean coefficients of the linear members and their intercept last; `trees` are scikit-learn's.

    The linear members are half of the mean, the trees the other half. `scale` and `shift` calibrate, the tenant's own effect included;
    `typical` is one row of `Encoded`, against which parts are counted.
    """

    contract: Contract
    encoder: Encoder
    logistic: Floats
    trees: tuple[Any, ...]
    scale: float
    shift: float
    typical: Encoded

    def score(self, columns: Mapping[str, Column]) -> Scores:
        """Score rows.

        Args:
            columns: every declared feature, (rows,). Others are not looked at.

        Raises:
            FeatureError: a column is missing, or is not of its kind.
        """
        raw, line = self.encoder.read(columns, self.logistic[:-1])
        score = self._whole_score(0.5 * (line + self.logistic[-1]) + 0.5 * self._treed(raw))
        return Scores(score, expit(score / MILLION))

    def score_encoded(self, encoded: Encoded) -> NDArray[np.int64]:
        """Log-odds in millionths."""
        return self._whole_score(self.raw(encoded))

    def _whole_score(self, raw: Floats) -> NDArray[np.int64]:
        found = self.scale * raw + self.shift
        return np.clip(np.rint(found * MILLION), -_SUREST, _SUREST).astype(np.int64)

    def raw(self, encoded: Encoded) -> Floats:
        """Log-odds of the members' mean, before calibration."""
        found: Floats = 0.5 * (encoded.linear @ self.logistic[:-1] + self.logistic[-1]) + 0.5 * self._treed(encoded.raw)
        return found

    def _treed(self, raw: Floats) -> Floats:
        total = np.zeros(len(raw))
        if len(raw):
            for each in self.trees:
                total += each.decision_function(raw)
        return total / len(self.trees)

    def explain(self, columns: Mapping[str, Column]) -> Explanation:
        """What each feature adds to a row's score, against the typical lead: Shapley's values.

        Features go one by one from the typical lead's value to the row's, in one order and in its reverse; the mean of both steps is
        exactly Shapley's value of a sum of functions of one and of two features (Shapley 1953; of an interaction, one order gives all to
        the one feature and the reverse all to the other). Whole millionths are given by largest remainders, so that they sum exactly.
        """
        encoded = self.encoder.encode(columns)
        owners = self.encoder.owners
        count = len(self.encoder.readers)
        steps = (encoded.linear - self.typical.linear) * self.logistic[:-1]
        parts = 0.5 * np.add.reduceat(steps, np.searchsorted(owners, np.arange(count)), axis=1)
        for order in (range(count), range(count - 1, -1, -1)):
            parts += 0.25 * self._steps(encoded.raw, order)
        base = int(self.score_encoded(self.typical)[0])
        names = tuple(each.name for each in self.encoder.readers)
        return Explanation(base, names, _whole(parts * self.scale * MILLION, self.score(columns).score - base))

    def _steps(self, raw: Floats, order: Any) -> Floats:
        now = np.repeat(self.typical.raw, len(raw), axis=0)
        steps = np.empty(raw.shape)
        before = self._treed(now)
        for place in order:
            now[:, place] = raw[:, place]
            after = self._treed(now)
            steps[:, place] = after - before
            before = after
        return steps


def _whole(parts: Floats, total: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers next to `parts` (rows, features) that sum to `total` (rows,).

    The parts sum to the total but for roundings (and for scores that were capped, where they are shrunk in proportion first).
    """
    sums = parts.sum(axis=1)
    capped = np.abs(sums - total) > parts.shape[1] + 1
    parts = np.where(capped[:, None], parts * (total / np.where(sums == 0, 1, sums))[:, None], parts)
    found = np.floor(parts).astype(np.int64)
    left = total - found.sum(axis=1)
    order = np.argsort(np.argsort(-(parts - found), axis=1, kind="stable"), axis=1, kind="stable")
    even, rest = np.divmod(left, parts.shape[1])
    whole: NDArray[np.int64] = found + even[:, None] + (order < rest[:, None])
    return whole
