"""Were the arms alike before the experiment? Differences that treatment cannot have made.

Here belongs the comparison of what was measured before exposure. Not here: differences in numbers of units (`srm`).
"""

from collections.abc import Mapping

from ml.experiments.inference import compare
from ml.experiments.multiplicity import holm
from ml.experiments.results import Comparison, Finding
from ml.moments import CovariateMoments, Moments

ALPHA = 0.001  # it is looked at for every metric of every experiment, and says that randomisation is broken


def pre_exposure_bias(control: CovariateMoments, treatments: Mapping[str, CovariateMoments], alpha: float = ALPHA) -> list[Finding]:
    """Arms whose pre-period covariate differs from control's: Welch's t, Holm over the arms.

    Args:
        control: moments with the covariate, fields single numbers.
        treatments: those of the other arms, by variant.
        alpha: level over all arms.

    >>> arm = CovariateMoments(n=1000, mean=5.0, m2=4000.0, other_mean=5.0, other_m2=4000.0, comoment=0.0)
    >>> shifted = CovariateMoments(n=1000, mean=5.0, m2=4000.0, other_mean=5.5, other_m2=4000.0, comoment=0.0)
    >>> [finding.about for finding in pre_exposure_bias(arm, {"b": arm, "c": shifted})]
    ['c']
    """
    found = {name: compare(_before(control), _before(arm)) for name, arm in treatments.items()}
    compared = {name: each for name, each in found.items() if isinstance(each, Comparison)}
    adjusted = holm([each.p_value for each in compared.values()])
    return [
        Finding(
            "pre_exposure_bias",
            f"before exposure the mean was {each.treatment:.6g} in {name} and {each.control:.6g} in control (p = {p:.2g} over all arms): "
            "the arms differed before they were treated",
            name,
        )
        for (name, each), p in zip(compared.items(), adjusted.tolist(), strict=True)
        if p < alpha
    ]


def _before(arm: CovariateMoments) -> Moments:
    return Moments(arm.n, arm.other_mean, arm.other_m2)
