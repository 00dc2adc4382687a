"""A whole table of experiments at once: from `exp_moments` to one result for each treatment and metric.

Here belong the joins of treatments with their controls, and what holds over an experiment: mismatch and multiplicity. Not here: single
comparisons (`inference`). Everything is arrays, since a thousand experiments of ten metrics are a table of thirty thousand rows.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.experiments import always_valid, srm
from ml.experiments.inference import compare_all
from ml.experiments.multiplicity import benjamini_hochberg, holm
from ml.experiments.pairs import pair_of
from ml.experiments.results import BELOW_LEAST, ENOUGH, NO_EXPOSURES, REASONS, Comparison, Comparisons
from ml.moments import AnyMoments, Counts, CovariateMoments, Floats, Moments, RatioMoments

Kind = Literal["proportion", "mean", "ratio", "cuped"]
Labels = NDArray[Any]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class MomentTable:
    """Columns (rows,) of `exp_moments`: one row an experiment, metric and variant.

    `experiment` is any label without doubles between tenants. `kind` is one of `Kind`. `mean` is of the value (hits / n of a proportion),
    variances and `covariance` are those of the sample; `other_*` belong to the denominator of a ratio or to the covariate of CUPED and are
    not read for other kinds. `share` is the variant's allocation.
    """

    experiment: Labels
    metric: Labels
    variant: Labels
    is_control: NDArray[np.bool_]
    share: Floats
    kind: Labels
    n: Floats
    mean: Floats
    variance: Floats
    other_mean: Floats
    other_variance: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Columns (results,), a result for each row of a treatment, in the table's order; NaN where `comparisons.reason` is not 0.

    `always_low` and `always_high` hold at all looks; the interval of `comparisons` holds at one. `p_holm` and `p_bh` are adjusted over all
    metrics and treatments of the experiment. `srm_p` is the experiment's; where it is below `srm.ALPHA` the effects mean nothing.
    """

    experiment: Labels
    metric: Labels
    variant: Labels
    comparisons: Comparisons
    always_low: Floats
    always_high: Floats
    always_p: Floats
    p_holm: Floats
    p_bh: Floats
    srm_p: Floats

    def rows(self) -> list[dict[str, Any]]:
        """As rows of `exp_results`: names to plain values, None for what there is not, `reason` in words."""
        parts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "comparisons"}
        parts |= {field.name: getattr(self.comparisons, field.name) for field in fields(Comparison)}
        parts["reason"] = np.array(REASONS)[self.comparisons.reason]
        columns = [_plain(values) for values in parts.values()]
        return [dict(zip(parts, row, strict=True)) for row in zip(*columns, strict=True)]


def analyse(
    table: MomentTable, alpha: float = 0.05, n_best: float = 10_000.0, least_units: float = 2.0, least_events: float = 0.0
) -> ResultTable:
    """Every treatment against the control of its experiment and metric.

    Args:
        table: the moments.
        alpha: 1 - level of the intervals.
        n_best: units of both arms at which the always-valid interval is tuned to be shortest.
        least_units: in each arm, or there is no result.
        least_events: expected hits and misses in each arm of a proportion, or there is no result.

    Raises:
        ValueError: an experiment and metric has two rows for one variant, or two controls.

    >>> import numpy as np
    >>> nothing = np.full(2, np.nan)
    >>> table = MomentTable(
    ...     np.array(["greeting"] * 2), np.array(["converted"] * 2), np.array(["a", "b"]), np.array([True, False]), np.array([0.5, 0.5]),
    ...     np.array(["proportion"] * 2), np.array([1000.0, 1000.0]), np.array([0.1, 0.13]), nothing, nothing, nothing, nothing)
    >>> [row] = analyse(table).rows()
    >>> row["variant"], round(row["effect"], 4), round(row["p_value"], 4), row["reason"]
    ('b', 0.03, 0.0355, '')
    """
    experiments, experiment = np.unique(table.experiment, return_inverse=True)
    metrics, metric = np.unique(table.metric, return_inverse=True)
    variants, variant = np.unique(table.variant, return_inverse=True)
    question = experiment * len(metrics) + metric
    _refuse_doubles(table, question, variant)
    control_of = np.full(len(experiments) * len(metrics), -1)
    control_of[question[table.is_control]] = np.flatnonzero(table.is_control)
    treated = np.flatnonzero(~table.is_control)
    controls = control_of[question[treated]]

    columns = {field.name: np.full(treated.size, np.nan) for field in fields(Comparison)} | {
        name: np.full(treated.size, np.nan) for name in ("always_low", "always_high", "always_p")
    }
    reason = np.full(treated.size, NO_EXPOSURES, dtype=np.int8)
    kinds, kind = np.unique(table.kind, return_inverse=True)
    for code, name in enumerate(kinds.tolist()):
        places = np.flatnonzero((kind[treated] == code) & (controls >= 0))
        pair = pair_of(moments_of(table, name, controls[places]), moments_of(table, name, treated[places]))
        rate = (pair.control * pair.control_n + pair.treatment * pair.treatment_n) / pair.n
        fewest = np.minimum(pair.control_n, pair.treatment_n)
        few = (fewest < least_units) | ((name == "proportion") & (fewest * np.minimum(rate, 1 - rate) < least_events))
        found = compare_all(pair, alpha)
        low, high = always_valid.interval(pair, n_best, alpha)
        always = {"always_low": low, "always_high": high, "always_p": _single_p(always_valid.log_e_value(pair, n_best, alpha))}
        reason[places] = np.where((found.reason == ENOUGH) & few, BELOW_LEAST, found.reason)
        for column in columns:
            values = always[column] if column in always else getattr(found, column)
            columns[column][places] = np.where(reason[places] == ENOUGH, values, np.nan)
    where, width = _places_within(experiment[treated], len(experiments))
    family = np.full((len(experiments), width), np.nan)
    family[where] = columns["p_value"]
    return ResultTable(
        experiment=table.experiment[treated],
        metric=table.metric[treated],
        variant=table.variant[treated],
        comparisons=Comparisons(reason=reason, **{field.name: columns[field.name] for field in fields(Comparison)}),
        always_low=columns["always_low"],
        always_high=columns["always_high"],
        always_p=columns["always_p"],
        p_holm=holm(family)[where],
        p_bh=benjamini_hochberg(family)[where],
        srm_p=_mismatches(table, experiment, variant, len(experiments), len(variants))[experiment[treated]],
    )


def moments_of(table: MomentTable, kind: Kind, places: Places) -> AnyMoments:
    """The moments of one kind at the table's rows `places`, fields (places,).

    Raises:
        ValueError: there is no such kind.
    """
    n, mean = table.n[places], table.mean[places]
    if kind == "proportion":
        return Counts(n, np.rint(n * mean))
    if kind == "mean":
        return Moments.from_variance(n, mean, table.variance[places])
    if kind in ("ratio", "cuped"):
        made = RatioMoments if kind == "ratio" else CovariateMoments
        others = table.other_mean[places], table.other_variance[places], table.covariance[places]
        return made.from_covariance(n, mean, table.variance[places], *others)
    message = f"{kind!r} is no kind of metric; there are proportion, mean, ratio and cuped"
    raise ValueError(message)


def _plain(values: Labels) -> list[Any]:
    """Plain values, None for NaN."""
    plain: list[Any] = values.astype(object).tolist()
    for place in np.flatnonzero(np.isnan(values)).tolist() if values.dtype.kind == "f" else ():
        plain[place] = None
    return plain


def _single_p(log_e: Floats) -> Floats:
    """Of one look: 1 / e."""
    return always_valid.p_values(log_e[:, None])[:, 0]


def _refuse_doubles(table: MomentTable, question: Places, variant: Places) -> None:
    arms = question.astype(np.int64) * (int(variant.max(initial=0)) + 1) + variant
    for codes, what in ((arms, "rows for one variant"), (question[table.is_control], "controls")):
        places, counts = np.unique(codes, return_counts=True)
        if (counts > 1).any():
            row = int(np.flatnonzero((arms if codes is arms else question) == places[counts > 1][0])[0])
            message = f"experiment {table.experiment[row]}, metric {table.metric[row]} has two {what}"
            raise ValueError(message)


def _places_within(group: Places, groups: int) -> tuple[tuple[Places, Places], int]:
    """For each row its group and its place among the group's rows, and the size of the largest group."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=groups)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    place = np.empty(group.size, dtype=np.intp)
    place[order] = np.arange(group.size) - starts[group[order]]
    return (group, place), int(counts.max(initial=0))


def _mismatches(table: MomentTable, experiment: Places, variant: Places, experiments: int, variants: int) -> Floats:
    """SRM p-values by experiment: an arm's exposures are its most units over metrics."""
    arms, arm = np.unique(experiment * variants + variant, return_inverse=True)
    units = np.zeros(arms.size)
    np.maximum.at(units, arm, table.n)
    shares = np.zeros(arms.size)
    shares[arm] = table.share
    where, width = _places_within(arms // variants, experiments)
    counts, weights = np.zeros((experiments, width)), np.zeros((experiments, width))
    counts[where], weights[where] = units, shares
    return srm.sample_ratios(counts, weights)
