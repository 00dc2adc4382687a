"""Years of weekly looks at models whose rows do not drift, thousands at once, by the library's own tests in arrays.

Drawn as counts: of a continuous column the shares between its frozen edges are Dirichlet distributed whatever the column's distribution
(spacings of order statistics; David and Nagaraja 2003, 2.6), so weeks are multinomial with shares that the baseline only guessed.
"""

from dataclasses import dataclass

import numpy as np

from ml.drift.baseline import freeze
from ml.drift.decision import by_outcomes
from ml.drift.estimate import Blind
from ml.drift.evidence import cuts, unseen_p, values_p
from ml.drift.exact import two_sided
from ml.drift.feature import Feature
from ml.drift.measures import psi
from ml.drift.outcomes import performance
from ml.drift.policy import WEEKS_A_YEAR, Policy
from ml.drift.tally import Counts
from ml.experiments.multiplicity import holm

WEEKS = WEEKS_A_YEAR
BINS = 20


@dataclass(frozen=True)
class Columns:
    """One model's columns of one kind over a year: counts of the baseline (columns, bins), of the weeks (weeks, columns, bins)."""

    features: list[Feature]
    bins: np.ndarray
    missing: np.ndarray
    unseen: np.ndarray
    rows: int

    def counts(self, week: int, column: int) -> Counts:
        """As the library counts them."""
        place = week, column
        return Counts(self.rows, int(self.missing[place]), int(self.unseen[place]), self.bins[place])


def numbers(rng: np.random.Generator, columns: int, rows: int, rows_before: int) -> Columns:
    """Continuous columns, 5 % missing."""
    missing_before = rng.binomial(rows_before, 0.05, columns)
    missing = rng.binomial(rows, 0.05, (WEEKS, columns))
    features, bins, unseen = [], np.zeros((WEEKS, columns, BINS), dtype=np.int64), np.zeros((WEEKS, columns), dtype=np.int64)
    for at in range(columns):
        present = int(rows_before - missing_before[at])
        before = np.diff(np.round(np.linspace(0, present, BINS + 1)).astype(int))
        # spacings: one below the smallest value, as many as rows up to each edge, one above the largest
        cells = np.concatenate([[1], before, [1]]).astype(float)
        cells[1] -= 1
        drawn = rng.multinomial(rows - missing[:, at], rng.dirichlet(cells))
        bins[:, at] = drawn[:, 1:-1]
        bins[:, at, 0] += drawn[:, 0]
        bins[:, at, -1] += drawn[:, -1]
        unseen[:, at] = drawn[:, 0] + drawn[:, -1]
        edges = tuple(map(float, range(1, BINS)))
        sketch = tuple(map(float, np.linspace(0, BINS, 101)))
        centres = tuple(float(edge) for edge in np.arange(BINS) + 0.5)
        features.append(
            Feature(f"n{at}", "number", rows_before, int(missing_before[at]), 2, tuple(map(int, before)), edges, centres, 7.0, sketch)
        )
    return Columns(features, bins, missing, unseen, rows)


def categories(rng: np.random.Generator, columns: int, rows: int, rows_before: int, kinds: int = 60) -> Columns:
    """Columns of text with a long tail (Zipf): some categories were never met, and turn up."""
    missing_before = rng.binomial(rows_before, 0.02, columns)
    missing = rng.binomial(rows, 0.02, (WEEKS, columns))
    share = 1 / np.arange(1, kinds + 1) ** 1.5
    share /= share.sum()
    features, bins, unseen = [], np.zeros((WEEKS, columns, BINS), dtype=np.int64), np.zeros((WEEKS, columns), dtype=np.int64)
    for at in range(columns):
        before = rng.multinomial(rows_before - missing_before[at], share)
        order = np.argsort(-before, kind="stable")
        met = order[before[order] > 0]
        here = rng.multinomial(rows - missing[:, at], share)
        unseen[:, at] = here[:, before == 0].sum(axis=1)
        own = min(len(met), BINS)
        assert own == BINS
        bins[:, at, : BINS - 1] = here[:, met[: BINS - 1]]
        bins[:, at, BINS - 1] = here[:, met[BINS - 1 :]].sum(axis=1)
        kept = (*map(int, before[met[: BINS - 1]]), int(before[met[BINS - 1 :]].sum()))
        names = tuple(f"c{kind}" for kind in met)
        lone = int(((before >= 1) & (before <= 5)).sum())
        features.append(Feature(f"t{at}", "category", rows_before, int(missing_before[at]), lone, kept, values=names))
    return Columns(features, bins, missing, unseen, rows)


def p_values(year: Columns) -> np.ndarray:
    """Raw p-values of each week, (weeks, columns, 3), as `ml.drift.evidence.evidence` gives them one by one."""
    found = np.empty((WEEKS, len(year.features), 3))
    for at, feature in enumerate(year.features):
        stretches = cuts(BINS, is_ordered=feature.kind == "number")
        smallest = values_p(np.array(feature.counts), year.bins[:, at], stretches).min(axis=-1)
        found[:, at, 0] = np.minimum(1.0, smallest * len(stretches))
        found[:, at, 1] = two_sided(year.missing[:, at], year.rows, feature.missing, feature.rows)
        found[:, at, 2] = unseen_p(feature, year.unseen[:, at], year.rows - year.missing[:, at])
    return found


def sizes(year: Columns) -> np.ndarray:
    """What the limits are held against, (weeks, columns, 3)."""
    found = np.empty((WEEKS, len(year.features), 3))
    for at, feature in enumerate(year.features):
        found[:, at, 0] = psi(feature.counts, year.bins[:, at])
        found[:, at, 1] = year.missing[:, at] / year.rows - feature.missing / feature.rows
        found[:, at, 2] = year.unseen[:, at] / year.rows
    return found


@dataclass(frozen=True)
class Year:
    """Of one model: weeks (weeks,) in which chance seemed ruled out at the critical level, and in which the verdict was critical or warned."""

    ruled_out: np.ndarray
    critical: np.ndarray
    warned: np.ndarray


def judge(kinds: list[Columns], policy: Policy) -> Year:
    """All weeks of a year, by the rule of `ml.drift.decision`."""
    p = np.concatenate([p_values(each) for each in kinds], axis=1)
    size = np.concatenate([sizes(each) for each in kinds], axis=1)
    adjusted = holm(p.reshape(WEEKS, -1)).reshape(p.shape)
    warn, critical = policy.levels(1)
    limits = (policy.values, policy.missing, policy.unseen)
    is_large, is_seen = (
        np.stack([size[..., at] >= getattr(each, name) for at, each in enumerate(limits)], axis=-1) for name in ("critical", "warn")
    )
    return Year(
        (adjusted <= critical).any(axis=(1, 2)),
        ((adjusted <= critical) & is_large).any(axis=(1, 2)),
        ((adjusted <= warn) & is_seen).any(axis=(1, 2)),
    )


def replay(years: int, seed: int) -> dict[str, float]:
    """Alarms a model-year over models of all sizes: 60 to 5,000 rows a week, baselines of 300 to 50,000 rows, 4 to 24 columns."""
    rng = np.random.default_rng(seed)
    total = np.zeros(3)
    for _ in range(years):
        rows, before = int(np.exp(rng.uniform(np.log(60), np.log(5000)))), int(np.exp(rng.uniform(np.log(400), np.log(50_000))))
        columns = int(rng.integers(2, 13))
        found = judge([numbers(rng, columns, rows, before), categories(rng, columns, rows, max(before, 2000))], Policy())
        total += [found.ruled_out.sum(), found.critical.sum(), found.warned.sum()]
    return dict(zip(("ruled_out", "critical", "warned"), (total / years).tolist(), strict=True))


def replay_outcomes(years: int, seed: int) -> dict[str, float]:
    """Alarms a model-year by outcomes of a calibrated model: 100 to 1,000 outcomes a week, 5 to 50 % positive, baselines of 500 to 20,000."""
    rng = np.random.default_rng(seed)
    total = np.zeros(2)
    for _ in range(years):
        rows, before = int(np.exp(rng.uniform(np.log(100), np.log(1000)))), int(np.exp(rng.uniform(np.log(500), np.log(20_000))))
        shape = rng.uniform(0.5, 2), rng.uniform(1, 12)
        told = rng.beta(*shape, before)
        made = freeze("m", 1, {}, told, rng.random(before) < told)
        warn, critical = made.policy.levels(1)
        for _ in range(WEEKS):
            p = rng.beta(*shape, rows)
            tests = by_outcomes(made, performance(p, rng.random(rows) < p), Blind(()), warn, critical)
            total += [any(each.severity == "critical" for each in tests), any(each.severity != "ok" for each in tests)]
    return dict(zip(("critical", "warned"), (total / years).tolist(), strict=True))
