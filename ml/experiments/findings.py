"""Bad input by name: what is wrong with a declaration, its versions or its statistics, instead of a number that looks right.

Here belong the checks of what comes in. Not here: what follows from them (`kill`, `analysis`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np

from ml.experiments.config import ExperimentConfig
from ml.experiments.monitors import Looks
from ml.experiments.results import Finding
from ml.moments import AnyMoments, Counts, Moments

_ROUNDING = 1e-9
_FEWEST_CROSSOVERS = 20  # below, a share of one per cent is one person on two devices


def check_config(config: ExperimentConfig) -> list[Finding]:
    """What keeps one version from being judged.

    >>> from datetime import UTC, datetime, timedelta
    >>> from ml.experiments.config import Goal, Variant
    >>> arms = Variant("a", 0.5, is_control=True), Variant("b", 0.4)
    >>> start = datetime(2026, 1, 1, tzinfo=UTC)
    >>> [each.kind for each in check_config(ExperimentConfig("x", arms, Goal("converted"), start, timedelta(days=30)))]
    ['bad_allocation']
    """
    return list(_config(config))


def check_versions(versions: Sequence[ExperimentConfig]) -> list[Finding]:
    """What keeps dated versions of one experiment from being judged together: overlaps, and changes half-way.

    Kinds: overlapping, shrinking (a variant dropped, or the horizon drawn nearer), allocation_changed, metric_renamed. Each version alone
    can still be judged on the units that were first exposed in it.
    """
    ordered = sorted(versions, key=lambda version: version.valid_from)
    return [finding for early, late in pairwise(ordered) for finding in _change(early, late)]


def check_moments(arms: Mapping[str, AnyMoments], about: str = "") -> list[Finding]:
    """What no data can have: negative variance, more hits than units, a co-moment beyond its variances, arms of several kinds.

    >>> [each.kind for each in check_moments({"a": Moments(10, 1.0, -2.0)}, "spend")]
    ['impossible_moments']
    """
    found = [Finding("impossible_moments", f"{about} in {name}: {why}", about or name) for name, arm in arms.items() if (why := _why(arm))]
    kinds = sorted({type(arm).__name__ for arm in arms.values()})
    if len(kinds) > 1:
        found.append(Finding("metric_changed_kind", f"{about} comes as {' and as '.join(kinds)}: the metric was redefined half-way", about))
    return found


def check_looks(config: ExperimentConfig, looks: Looks | None, as_of: datetime) -> list[Finding]:
    """What is missing, stale, impossible or unexpected in the statistics of a running experiment, for looks of shape (looks,).

    Kinds: missing, stale, no_exposures, unknown_variant, zero_weight_exposed, crossovers, shrinking, impossible_moments,
    metric_changed_kind. What is not there yet is missing when it would be stale.
    """
    patience = config.stale_after
    if looks is None or not looks.at:
        age = as_of - config.valid_from
        if age <= patience:
            return []
        return [Finding("missing", f"no statistics {age} after the start; at most {patience} are borne")]
    found = [*_stale(config, looks, as_of), *_exposures(config, looks), *_metrics(config, looks)]
    is_young = as_of - config.valid_from <= patience
    return [finding for finding in found if not (is_young and finding.kind in ("missing", "no_exposures"))]


def _config(config: ExperimentConfig) -> Iterator[Finding]:
    names = [variant.name for variant in config.variants]
    if len(names) < 2 or len(set(names)) < len(names):
        yield Finding("bad_variants", f"an experiment has two variants or more, each with its own name, not {names}")
    if sum(variant.is_control for variant in config.variants) != 1:
        yield Finding("bad_variants", "exactly one variant is the control")
    shares = [variant.share for variant in config.variants]
    if min(shares, default=0) < 0 or abs(sum(shares) - 1) > _ROUNDING:
        yield Finding("bad_allocation", f"the allocations {shares} are not shares that add up to 1")
    elif any(variant.is_control and variant.share == 0 for variant in config.variants):
        yield Finding("bad_allocation", "control has no allocation: there is nothing to compare with")
    if config.horizon.total_seconds() <= 0:
        yield Finding("bad_horizon", f"the horizon ({config.horizon}) is not in the future of the start")
    if config.valid_to is not None and config.valid_to <= config.valid_from:
        yield Finding("bad_horizon", f"the validity ends at {config.valid_to.isoformat()}, not after its start")
    split = config.level
    parts = split.primary, split.guardrails, split.any_time, split.exposure, split.cost
    if not 0 < config.alpha < 0.5 or min(parts) <= 0 or sum(parts) > 1 + _ROUNDING:
        yield Finding(
            "bad_level", f"alpha ({config.alpha}) lies between 0 and 1/2, and its parts {parts} are above 0 and at most 1 together"
        )
    metrics = [config.primary.metric, *(guardrail.metric for guardrail in config.guardrails)]
    if len(set(metrics)) < len(metrics):
        yield Finding("bad_metrics", f"each metric has one part in the experiment: {metrics}")
    if any(not 0 <= guardrail.margin < 1 for guardrail in config.guardrails):
        yield Finding("bad_metrics", "a guardrail's margin is a share of control, from 0 to below 1")


def _change(early: ExperimentConfig, late: ExperimentConfig) -> Iterator[Finding]:
    about = late.valid_from.isoformat()
    if early.valid_to is None or early.valid_to > late.valid_from:
        until = "further notice" if early.valid_to is None else early.valid_to.isoformat()
        yield Finding(
            "overlapping", f"the version of {early.valid_from.isoformat()} is valid until {until}, the next begins at {about}", about
        )
    dropped = sorted(set(early.shares) - set(late.shares))
    if dropped:
        yield Finding("shrinking", f"from {about} on the variants {dropped} are gone: their units are judged in the earlier version", about)
    if late.valid_from + late.horizon < early.valid_from + early.horizon:
        yield Finding("shrinking", f"at {about} the horizon is drawn nearer: the level was spent by the declared one", about)
    changed = sorted(name for name in set(early.shares) & set(late.shares) if early.shares[name] != late.shares[name])
    if changed:
        told = ", ".join(f"{name} {early.shares[name]:g} to {late.shares[name]:g}" for name in changed)
        detail = f"at {about} the allocation changed ({told}): units before and after are not to be added up (Simpson's paradox)"
        yield Finding("allocation_changed", detail, about)
    if early.primary.metric != late.primary.metric:
        detail = f"at {about} the primary metric became {late.primary.metric}, before it was {early.primary.metric}"
        yield Finding("metric_renamed", detail, about)


def _stale(config: ExperimentConfig, looks: Looks, as_of: datetime) -> Iterator[Finding]:
    age = as_of - looks.at[-1]
    if age > config.stale_after:
        yield Finding("stale", f"the last statistics are of {looks.at[-1].isoformat()}, {age} ago; at most {config.stale_after} are borne")
    if any(late <= early for early, late in pairwise(looks.at)):
        yield Finding("shrinking", "the looks are not in order of time")


def _exposures(config: ExperimentConfig, looks: Looks) -> Iterator[Finding]:
    total = sum(float(np.asarray(units)[-1]) for units in looks.exposures.values())
    for name, units in sorted(looks.exposures.items()):
        seen = float(np.asarray(units)[-1])
        if name not in config.shares and seen:
            yield Finding(
                "unknown_variant", f"{seen:.0f} units were exposed to {name!r}, which is no variant of {sorted(config.shares)}", name
            )
        if config.shares.get(name) == 0 and seen:
            yield Finding("zero_weight_exposed", f"{seen:.0f} units were exposed to {name!r}, which has no allocation", name)
        if np.any(np.diff(np.asarray(units)) < 0):
            yield Finding("shrinking", f"the units exposed to {name!r} became fewer from one look to the next", name)
    for name, share in config.shares.items():
        if name not in looks.exposures:
            yield Finding("missing", f"no exposures are told for {name!r}", name)
        elif share > 0 and not float(np.asarray(looks.exposures[name])[-1]):
            yield Finding("no_exposures", f"nobody was exposed to {name!r}, which is allocated {share:.1%}", name)
    crossed = float(np.broadcast_to(looks.crossovers, (len(looks.at),))[-1])
    if crossed >= _FEWEST_CROSSOVERS and crossed > config.most_crossovers * (total + crossed):
        yield Finding("crossovers", f"{crossed:.0f} units were in two variants, more than {config.most_crossovers:.1%} of all")


def _metrics(config: ExperimentConfig, looks: Looks) -> Iterator[Finding]:
    arms = {config.control.name, *(variant.name for variant in config.treatments if variant.share > 0)}
    wanted = {config.primary.metric: arms} | {guardrail.metric: arms for guardrail in config.guardrails}
    if config.cost is not None:
        wanted[config.cost.metric] = arms | wanted.get(config.cost.metric, set())
    for metric, names in wanted.items():
        absent = sorted(names - set(looks.metrics.get(metric, {})))
        if absent:
            yield Finding("missing", f"{metric} is told for none of {absent}: not computed, or renamed half-way", metric)
        yield from check_moments({name: arm for name, arm in looks.metrics.get(metric, {}).items() if name in names}, metric)


def _why(arm: AnyMoments) -> str:
    n = np.asarray(arm.n, dtype=float)
    if not np.isfinite(n).all() or (n < 0).any() or (n != np.floor(n)).any():
        return "the number of units is no whole number"
    if isinstance(arm, Counts):
        hits = np.asarray(arm.hits, dtype=float)
        return "" if ((hits >= 0) & (hits <= n)).all() else "hits are below zero or more than units"
    there = n > 0
    pairs = () if isinstance(arm, Moments) else (arm.other_mean, arm.other_m2, arm.comoment)
    if not all(np.isfinite(np.where(there, part, 0.0)).all() for part in (arm.mean, arm.m2, *pairs)):
        return "a moment is no finite number"
    squares = (arm.m2,) if isinstance(arm, Moments) else (arm.m2, arm.other_m2)
    if any((np.where(there, square, 0.0) < 0).any() for square in squares):
        return "a variance is negative"
    if not isinstance(arm, Moments) and (np.square(arm.comoment) > np.multiply(arm.m2, arm.other_m2) * (1 + _ROUNDING) + 1e-300).any():
        return "the covariance is larger than the variances allow"
    return ""
