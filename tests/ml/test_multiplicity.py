"""Adjusted p-values are those of statsmodels, family by family."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.experiments.multiplicity import benjamini_hochberg, holm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from statsmodels.stats.multitest import multipletests

_FAMILY = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@settings(max_examples=6, deadline=None)  # statsmodels takes 0.2 s a family
@given(p=_FAMILY)
def test_adjusted_p_values_are_those_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-10, atol=1e-15)


@given(p=_FAMILY, gaps=st.integers(0, 5), seed=st.integers(0, 1000))
def test_questions_without_an_answer_do_not_count(p: list[float], gaps: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(p) + gaps)
    with_gaps = np.r_[p, np.full(gaps, np.nan)][order]
    for adjust in (holm, benjamini_hochberg):
        np.testing.assert_allclose(adjust(with_gaps), np.r_[adjust(p), np.full(gaps, np.nan)][order], rtol=1e-12)


def test_families_along_the_last_axis_are_apart() -> None:
    p = np.random.default_rng(1).random((4, 3, 7))
    for adjust in (holm, benjamini_hochberg):
        together = adjust(p)
        for place in np.ndindex(4, 3):
            np.testing.assert_array_equal(together[place], adjust(p[place]))


def test_published_examples() -> None:
    """Benjamini and Hochberg 1995, section 3.1: 15 endpoints; theirs claims the first four at 0.05, Bonferroni and Holm the first three."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert int((benjamini_hochberg(p) <= 0.05).sum()) == 4
    assert int((holm(p) <= 0.05).sum()) == 3


def test_nothing_and_no_probability() -> None:
    assert holm([]).shape == benjamini_hochberg([]).shape == (0,)
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])
