"""What an experiment came to in one sentence, for people, and how likely it would have found what it was made for.

Here belong the wording and the power reached. Not here: the numbers (`analysis`), stopping (`kill`).
"""

from collections.abc import Sequence
from math import isfinite

from ml.experiments.config import ExperimentConfig
from ml.experiments.kill import Decision
from ml.experiments.power import Mean, Proportion, power
from ml.experiments.results import Comparison


def power_reached(
    kind: str, baseline: float, sd: float | None, units: tuple[float, float], effect: float, alpha: float = 0.05
) -> float | None:
    """The chance that a single two-sided test of so many units finds a difference of `effect`; None where there is nothing to go by.

    Args:
        kind: `proportion`, or any other, which goes by `sd`.
        baseline: control's rate or mean.
        sd: of the values of a unit, for kinds other than proportions.
        units: in control and in treatment.
        effect: in the metric's unit, signed; of a proportion it is turned round where the rate would leave 0 to 1.
        alpha: level.

    >>> round(power_reached("proportion", 0.05, None, (8158, 8158), 0.01), 2)
    0.8
    """
    control, treatment = units
    if min(units) < 2 or not isfinite(baseline):
        return None
    if kind == "proportion":
        if not 0 < baseline < 1:
            return None
        signed = effect if 0 <= baseline + effect <= 1 else -effect
        return power(Proportion(baseline), signed, control, treatment / control, alpha) if 0 <= baseline + signed <= 1 else None
    if sd is None or not sd > 0:
        return None
    return power(Mean(sd), effect, control, treatment / control, alpha)


def verdict(config: ExperimentConfig, decision: Decision, found: Sequence[tuple[str, Comparison, float, float]]) -> str:
    """One sentence or two.

    Args:
        config: the version.
        decision: what the kill switch says of it.
        found: for each treatment its name, the comparison of the primary metric at the last look, and the interval that holds at all
            looks; treatments of which there is not enough data are missing.
    """
    metric = config.primary.metric
    if decision.status == "planned":
        return f"Begins on {config.valid_from:%Y-%m-%d}."
    if decision.status == "killed":
        return f"Stopped: {decision.triggers[0].detail}. Control is served to everybody."
    told = [_compared(config, *each) for each in found]
    begin = "Over" if decision.status == "ended" else "Running"
    if not told:
        return f"{begin}: not enough data on {metric} yet."
    better = [name for name, _, low, high in found if (low > 0 if config.primary.higher_is_better else high < 0)]
    proposal = f" Proposed for promotion, for a person to decide: {', '.join(better)}." if better else ""
    return f"{begin}: {'; '.join(told)}.{proposal}"


def _compared(config: ExperimentConfig, name: str, comparison: Comparison, low: float, high: float) -> str:
    difference = f"difference {comparison.effect:+.4g}, at all looks {low:.4g} to {high:.4g}"
    numbers = f"{comparison.treatment:.4g} against {comparison.control:.4g} ({difference})"
    if low <= 0 <= high:
        return f"{name} is not told from {config.control.name} on {config.primary.metric}: {numbers}"
    is_better = (low > 0) == config.primary.higher_is_better
    return f"{name} is {'better' if is_better else 'worse'} than {config.control.name} on {config.primary.metric}: {numbers}"
