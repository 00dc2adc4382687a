"""Fitting a model of leads, and judging it by rows later than all that it was fitted to.

Here belong the split in time, the members, calibration and the tenants' own effects, and how good the model and its baselines are. Not
here: what a fitted model does (`ml.lead_scoring`), features (`ml.features`), the prior over tenants (`ml.shrinkage`).

Four members, logistic regression and boosted trees of pairs of features, each on all rows alike and on recent ones more, count alike. To
choose among them by the last rows is worse where the world moves (bank_marketing, window 20,000: AUC 0.702 chosen, 0.767 all four). Then
the level follows the last outcomes. The last fifth judges, and is taken in at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml import evaluation, members
from ml.columns import Floats, take
from ml.evaluation import Quality
from ml.features import Contract, Encoded, Encoder, Finding, guard, learn
from ml.lead_scoring import LeadModel
from ml.shrinkage import Effect, effects

FEWEST = 30
"""Outcomes of either kind, of all tenants together, below which nothing is fitted."""
FEWEST_TO_JUDGE = 15
"""Outcomes of either kind among the later rows below which nothing is judged by them."""

_LAST = 0.2
_FOLDS = 3
_RECENT = 500


class NotEnough(NamedTuple):
    """There is no model, and why."""

    reason: str


class Rows(NamedTuple):
    """What a model learns from, one entry a row: its features, its moment, its outcome and when that was known, whose it is, its weight.

    Moments are any numbers that grow with time. An outcome of NaN is not known yet: such rows are left out and counted.
    """

    columns: Mapping[str, ArrayLike]
    moment: ArrayLike
    outcome: ArrayLike
    known_at: ArrayLike
    tenant: ArrayLike
    weight: ArrayLike | None = None


class Judged(NamedTuple):
    """How the procedure did on the last rows, beside its baselines, by name: `model`, `logistic`, `points` where given, `base_rate`."""

    of: Mapping[str, Quality]
    columns: Mapping[str, NDArray[Any]]
    outcome: Floats
    probability: Floats
    base_rate: float
    tenant: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model for each tenant, what was chosen, what was found, and how it did on rows later than those that it was fitted to.

    `judged` is None where there were too few later outcomes to judge by. `models` has '' for a tenant that was not seen.
    """

    models: Mapping[str, LeadModel]
    rows: int
    positives: Mapping[str, int]
    choice: Mapping[str, float]
    findings: tuple[Finding, ...]
    judged: Judged | None


def train(contract: Contract, rows: Rows, points: ArrayLike | None = None, *, is_judged: bool = True) -> Trained | NotEnough:
    """Fit, choose, calibrate and judge.

    Args:
        contract: the features.
        rows: what there is, in any order; one with another order gives the same model.
        points: a score of points by which the baseline ranks, shape (rows,); NaN counts as the lowest.
        is_judged: whether to judge on the last fifth, for which everything is fitted once more without it.

    Raises:
        LeakageError: a feature or an outcome comes from the wrong side of the moment.
        FeatureError: a feature is missing, of the wrong kind, or all are constant.
    """
    findings = guard(contract, rows.columns, rows.moment, outcomes_at=rows.known_at)
    data, given, extra = _sorted(contract, rows, points)
    findings += extra
    ones = int(data.y.sum())
    if min(ones, len(data.y) - ones) < FEWEST:
        return NotEnough(f"{ones} of {len(data.y)} rows with an outcome are positive: {FEWEST} of either outcome are wanted to fit a model")
    encoder, learnt = learn(contract, data.columns, data.y)
    findings += learnt
    judged = None
    if is_judged:
        early, late = split(data.moment, data.known_at, _LAST)
        if _is_enough(data.y[late]) and _is_enough(data.y[early]):
            judged = _judge(contract, data, early, late, given)
        else:
            findings.append(Finding("not_judged", "", f"fewer than {FEWEST_TO_JUDGE} later outcomes of either kind"))
    final = _fit(contract, encoder, data)
    tenants = {str(name): int(data.y[data.tenant == name].sum()) for name in np.unique(data.tenant)}
    return Trained(final.models, len(data.y), tenants, final.choice, tuple(findings), judged)


def split(moment: ArrayLike, known_at: ArrayLike, last: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows before and after a cut in time; the last `last` of all rows come after it, at least those of one moment together.

    A row whose outcome became known only after the cut is in neither part: at the cut nobody could have learnt from it (purging; López de
    Prado 2018, chapter 7).
    """
    at, known = np.asarray(moment, dtype=float), np.asarray(known_at, dtype=float)
    cut = np.sort(at)[int(len(at) * (1 - last))]
    return np.flatnonzero((at < cut) & (known <= cut)), np.flatnonzero(at >= cut)


class _Data(NamedTuple):
    columns: dict[str, NDArray[Any]]
    moment: Floats
    y: Floats
    known_at: Floats
    tenant: NDArray[np.str_]
    weight: Floats

    def part(self, rows: NDArray[Any]) -> "_Data":
        return _Data(take(self.columns, rows), *(each[rows] for each in self[1:]))


class _Fitted(NamedTuple):
    models: Mapping[str, LeadModel]
    choice: Mapping[str, float]


def _sorted(contract: Contract, rows: Rows, points: ArrayLike | None) -> tuple[_Data, Floats | None, list[Finding]]:
    """Rows with an outcome in an order that does not depend on how they came."""
    y = np.asarray(rows.outcome, dtype=float)
    columns = {each.name: np.asarray(rows.columns[each.name]) for each in contract.features}
    if len(y):
        known = ~np.isnan(y)
        evaluation.checked(y[known] if known.any() else [0])
    else:
        known = np.zeros(0, dtype=bool)
    weight = np.ones(len(y)) if rows.weight is None else np.asarray(rows.weight, dtype=float)
    data = _Data(
        columns,
        np.asarray(rows.moment, dtype=float),
        y,
        np.asarray(rows.known_at, dtype=float),
        np.asarray(rows.tenant).astype(str),
        weight,
    )
    keys = [each.astype(str) if each.dtype.kind == "O" else each for each in (*columns.values(), y, data.tenant, data.moment)]
    order = np.lexsort(keys) if len(y) else np.zeros(0, dtype=np.intp)
    order = order[known[order]]
    unknown = int((~known).sum())
    findings = [Finding("no_outcome_yet", "", f"{unknown} rows are left out")] if unknown else []
    return data.part(order), None if points is None else np.asarray(points, dtype=float)[order], findings


def _is_enough(y: Floats) -> bool:
    return bool(min(y.sum(), len(y) - y.sum()) >= FEWEST_TO_JUDGE)


def _judge(contract: Contract, data: _Data, early: NDArray[Any], late: NDArray[Any], points: Floats | None) -> Judged:
    before, after = data.part(early), data.part(late)
    encoder, _ = learn(contract, before.columns, before.y)
    fitted = _fit(contract, encoder, before)
    p = predicted(fitted.models, after.columns, after.tenant)
    encoded = encoder.encode(after.columns)
    plain = members.logistic(encoder.encode(before.columns), before.y, before.weight)
    baselines = {"logistic": plain.predict_proba(encoded.linear)[:, 1], "base_rate": np.full(len(after.y), before.y.mean())}
    of = {"model": evaluation.quality(after.y, p)} | {name: evaluation.quality(after.y, each) for name, each in baselines.items()}
    if points is not None:
        known = np.nan_to_num(points, nan=-np.inf)
        ranks = np.unique(known[late], return_inverse=True)[1] / max(len(late), 1)  # points rank and are no probability
        of["points"] = replace(evaluation.quality(after.y, ranks), brier=np.nan, log_loss=np.nan, ece=np.nan)
    return Judged(of, after.columns, after.y, p, float(before.y.mean()), after.tenant)


def predicted(models: Mapping[str, LeadModel], columns: Mapping[str, ArrayLike], tenant: ArrayLike) -> Floats:
    """The probability of each row by its own tenant's model."""
    who = np.asarray(tenant).astype(str)
    found = np.empty(len(who))
    for name in np.unique(who):
        own = np.flatnonzero(who == name)
        found[own] = models.get(str(name), models[""]).score(take(columns, own)).probability
    return found


def _fit(contract: Contract, encoder: Encoder, data: _Data) -> _Fitted:
    from threadpoolctl import threadpool_limits

    # One thread: two of them on two cores that others use took 225 s for what one does in 20 s, and one gives the same bits everywhere.
    with threadpool_limits(limits=1):
        return _fit_calmly(contract, encoder, data)


def _fit_calmly(contract: Contract, encoder: Encoder, data: _Data) -> _Fitted:
    encoded = encoder.encode(data.columns)
    logistic, trees = members.fit(encoded, data.y, data.weight)
    model = LeadModel(contract, encoder, logistic, trees, 1.0, 0.0, members.typical(encoded, encoder))
    crossed, blocks = _crossed(contract, encoder, encoded, data)
    scale = members.slope(crossed, data.y, data.weight, blocks)
    recent = slice(-_RECENT, None)  # rows are in their order in time
    shift = members.level(scale * model.raw(encoded)[recent], data.y[recent], data.weight[recent])
    model = replace(model, scale=scale, shift=shift)
    choice: dict[str, float] = {"scale": scale, "shift": shift}
    names = np.unique(data.tenant)
    if len(names) == 1:
        return _Fitted({"": model, str(names[0]): model}, choice)
    found = effects(scale * crossed, data.y, data.tenant, data.weight)
    choice |= {"shift_spread": found.shift_spread, "slope_spread": found.slope_spread}
    return _Fitted({"": model} | {name: _with(model, effect) for name, effect in found.of.items()}, choice)


def _with(model: LeadModel, effect: Effect) -> LeadModel:
    return replace(model, scale=model.scale * (1 + effect.slope), shift=model.shift * (1 + effect.slope) + effect.shift)


def _crossed(contract: Contract, encoder: Encoder, encoded: Encoded, data: _Data) -> tuple[Floats, NDArray[Any]]:
    """Log-odds of each row by members that were not fitted to its block of time, and the blocks."""
    found, block = np.zeros(len(data.y)), np.arange(len(data.y)) * _FOLDS // len(data.y)
    for number in range(_FOLDS):
        own, rest = np.flatnonzero(block == number), np.flatnonzero(block != number)
        if not 0 < data.y[rest].sum() < len(rest):
            rest = np.arange(len(data.y))
        logistic, trees = members.fit(_some(encoded, rest), data.y[rest], data.weight[rest])
        found[own] = LeadModel(contract, encoder, logistic, trees, 1.0, 0.0, encoded).raw(_some(encoded, own))
    return found, block


def _some(encoded: Encoded, rows: NDArray[Any]) -> Encoded:
    return Encoded(encoded.linear[rows], encoded.raw[rows])
