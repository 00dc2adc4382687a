"""A whole table gives what its comparisons give one by one."""

from dataclasses import fields, replace

import numpy as np
import pytest

from ml.experiments import always_valid
from ml.experiments.analysis import MomentTable, analyse, moments_of
from ml.experiments.inference import compare
from ml.experiments.multiplicity import benjamini_hochberg, holm
from ml.experiments.pairs import pair_of
from ml.experiments.results import REASONS, Comparison, NotEnoughData
from ml.experiments.srm import SampleRatio, sample_ratio

_KINDS = ["proportion", "mean", "ratio", "cuped"]


def table(experiments: int = 12, metrics: int = 5, variants: int = 3, seed: int = 1) -> MomentTable:
    """Random moments; some arms without units, some without variance."""
    rng = np.random.default_rng(seed)
    e, m, v = (each.ravel() for each in np.meshgrid(np.arange(experiments), np.arange(metrics), np.arange(variants), indexing="ij"))
    rows = e.size
    units = rng.integers(0, 400, (experiments, variants)) * (rng.random((experiments, variants)) > 0.1)
    n = units[e, v].astype(float)
    mean = np.where(m % 4 == 0, np.rint(rng.uniform(0, 1, rows) * n) / np.maximum(n, 1), rng.uniform(0.5, 2, rows))
    variance, other = rng.uniform(0, 2, rows) * (rng.random(rows) > 0.1), rng.uniform(0.5, 2, rows)
    return MomentTable(
        experiment=np.char.add("e", e.astype(str)),
        metric=np.char.add("m", m.astype(str)),
        variant=np.char.add("v", v.astype(str)),
        is_control=v == 1,
        share=np.array([0.5, 0.3, 0.2])[v],
        kind=np.array(_KINDS)[m % 4],
        n=n,
        mean=mean,
        variance=variance,
        other_mean=rng.uniform(0.5, 2, rows),
        other_variance=other,
        covariance=rng.uniform(-0.9, 0.9, rows) * np.sqrt(variance * other),
    )


def test_each_row_is_the_comparison_alone() -> None:
    given = table()
    found = analyse(given)
    assert len(found.experiment) == 12 * 5 * 2
    for place, (experiment, metric, variant) in enumerate(zip(found.experiment, found.metric, found.variant, strict=True)):
        here = (given.experiment == experiment) & (given.metric == metric)
        rows = [np.flatnonzero(here & which) for which in (given.is_control, given.variant == variant)]
        control, treatment = (moments_of(given, given.kind[row][0], row)[0] for row in rows)
        alone, row = compare(control, treatment), found.comparisons[place]
        assert repr(alone) == repr(row)
        if isinstance(alone, Comparison):
            low, high = always_valid.interval(pair_of(control, treatment), 10_000)
            assert (found.always_low[place], found.always_high[place]) == pytest.approx((float(low), float(high)), rel=1e-12)


def test_families_and_mismatches_are_those_of_each_experiment() -> None:
    given = table()
    found = analyse(given)
    for experiment in np.unique(given.experiment):
        mine = found.experiment == experiment
        p = found.comparisons.p_value[mine]
        np.testing.assert_allclose(found.p_holm[mine], holm(p), rtol=1e-12)
        np.testing.assert_allclose(found.p_bh[mine], benjamini_hochberg(p), rtol=1e-12)
        rows = (given.experiment == experiment) & (given.metric == "m0")
        ratio = sample_ratio(given.n[rows].tolist(), given.share[rows].tolist())
        expected = ratio.p_value if isinstance(ratio, SampleRatio) else np.nan
        np.testing.assert_allclose(found.srm_p[mine], expected, rtol=1e-10)


def test_the_order_of_rows_does_not_matter() -> None:
    given = table(seed=2)
    order = np.random.default_rng(3).permutation(given.n.size)
    shuffled = MomentTable(*(getattr(given, field.name)[order] for field in fields(given)))

    def key(row: dict[str, object]) -> tuple[object, ...]:
        return row["experiment"], row["metric"], row["variant"]

    assert sorted(analyse(shuffled).rows(), key=key) == sorted(analyse(given).rows(), key=key)


def test_rows_are_plain_values_and_say_why_there_is_nothing() -> None:
    rows = analyse(table()).rows()
    for row in rows:
        assert all(value is None or isinstance(value, str | float) for value in row.values())
        assert (row["p_value"] is None) == (row["reason"] != "")
    assert {row["reason"] for row in rows} >= {"", REASONS[1]}


def test_too_few_units_or_events_are_no_result() -> None:
    given = table()
    few = analyse(given, least_units=300)
    met = few.comparisons.reason == 0
    assert 0 < met.sum() < (analyse(given).comparisons.reason == 0).sum()
    assert NotEnoughData(REASONS[6]) in list(few.comparisons)
    assert np.isnan(few.p_holm[~met]).all() and np.isnan(few.always_low[~met]).all()


def test_a_treatment_without_control_is_no_result() -> None:
    given = table(experiments=1)
    alone = MomentTable(*(getattr(given, field.name)[~given.is_control] for field in fields(given)))
    assert set(analyse(alone).comparisons.reason.tolist()) == {1}


def test_doubles_and_unknown_kinds_are_refused() -> None:
    given = table(experiments=2)
    twice = MomentTable(*(np.concatenate([getattr(given, field.name), getattr(given, field.name)[:1]]) for field in fields(given)))
    with pytest.raises(ValueError, match="experiment e0, metric m0 has two rows for one variant"):
        analyse(twice)
    with pytest.raises(ValueError, match="experiment e0, metric m0 has two controls"):
        analyse(replace(given, is_control=np.ones(given.n.size, dtype=bool)))
    with pytest.raises(ValueError, match="'median' is no kind of metric"):
        analyse(replace(given, kind=np.full(given.n.size, "median")))


def test_an_empty_table_has_no_results() -> None:
    given = table(experiments=1)
    assert analyse(MomentTable(*(getattr(given, field.name)[:0] for field in fields(given)))).rows() == []
