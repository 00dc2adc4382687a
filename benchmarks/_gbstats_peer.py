"""The named peer of `benchmarks.experiments`: gbstats 0.8, one result after the other, in an environment of its own.

Arguments: a folder with `moments.npy` (results, columns), to which it writes `results.npy` (results, effect low high p); prints seconds.
Nothing here imports our packages: the environment has none of them.
"""

import sys
import time
from pathlib import Path

import numpy as np
from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
from gbstats.models.statistics import ProportionStatistic, RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic

_WIDTH = 6  # n, mean, variance, other mean, other variance, covariance


def statistic(kind: float, arm: np.ndarray) -> object:
    """Their statistic of one arm."""
    n, mean, variance, other, other_variance, covariance = (float(each) for each in arm)
    whole = int(n)
    if kind == 0:
        return ProportionStatistic(n=whole, sum=mean * n)
    value = SampleMeanStatistic(n=whole, sum=mean * n, sum_squares=variance * (n - 1) + n * mean**2)
    if kind == 1:
        return value
    second = SampleMeanStatistic(n=whole, sum=other * n, sum_squares=other_variance * (n - 1) + n * other**2)
    products = covariance * (n - 1) + n * mean * other
    if kind == 2:
        return RatioStatistic(n=whole, m_statistic=value, d_statistic=second, m_d_sum_of_products=products)
    return RegressionAdjustedStatistic(n=whole, post_statistic=value, pre_statistic=second, post_pre_sum_of_products=products, theta=0)


def main(folder: Path) -> None:
    """Results and seconds."""
    rows = np.load(folder / "moments.npy", allow_pickle=False)
    config = FrequentistConfig(alpha=0.05, difference_type="absolute")
    found = np.empty((len(rows), 4))
    started = time.perf_counter()
    for place, row in enumerate(rows):
        kind, arms = row[0], row[1:]
        control, treatment = (statistic(kind, arms[start : start + _WIDTH]) for start in (0, _WIDTH))
        result = TwoSidedTTest(control, treatment, config).compute_result()
        found[place] = result.expected, *result.ci, result.p_value
    print(time.perf_counter() - started)
    np.save(folder / "results.npy", found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
