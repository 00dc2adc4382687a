"""One verdict on real and on planted drift: when it comes, what it names, how severe it is, and what it refuses to say."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.columns import Coded, Column
from ml.drift.baseline import PREDICTION, Baseline, BaselineError, freeze, take
from ml.drift.decision import Verdict, decide, tallies
from ml.drift.estimate import Blind, Estimate
from ml.drift.outcomes import NotEnough, Performance, performance
from ml.drift.policy import Policy
from tests.ml.drift_frames import LOAN, ROWS_2008, bank, columns, loan

NONE = NotEnough("no outcomes yet")
CHUNK = 5000


def look(baseline: Baseline, rows: dict[str, Column], p: np.ndarray, y: Any = None, number: int = 1) -> Verdict:
    """One look at rows."""
    tallied = tallies(baseline)
    every = {**rows, PREDICTION: p}
    tallied[""].add(every, p.size)
    for segment, tally in tallied.items():
        if segment:
            by = every[baseline.segmented_by]
            assert isinstance(by, Coded)
            places = np.flatnonzero(by.codes == list(by.values).index(segment))
            tally.add({name: take(column, places) for name, column in every.items()}, places.size)
    return decide(baseline, tallied, p, NONE if y is None else performance(p, y), number)


@pytest.fixture(scope="module")
def car() -> Baseline:
    frame = loan("reference")
    return freeze("car_loan", 1, columns(frame, LOAN), frame["y_pred_proba"], frame["repaid"])


def chunks(baseline: Baseline, frame: pl.DataFrame, *, with_outcomes: bool = True) -> list[Verdict]:
    parts = [frame[at : at + CHUNK] for at in range(0, 50_000, CHUNK)]
    return [
        look(baseline, columns(each, LOAN), each["y_pred_proba"].to_numpy(), each["repaid"] if with_outcomes else None) for each in parts
    ]


def named(verdict: Verdict, severity: str | None = None) -> set[str]:
    return {each.column for each in verdict.columns if (each.severity != "ok" if severity is None else each.severity == severity)}


def test_the_car_values_jump_is_found_in_chunk_five_and_nothing_before(car: Baseline) -> None:
    found = chunks(car, loan("analysis"))
    assert [each.severity for each in found] == ["ok"] * 5 + ["critical"] * 5
    assert [each.reasons for each in found[:5]] == [("no drift in 8 columns over 5000 rows",)] * 5
    assert all("car_value" in named(each, "critical") for each in found[5:])
    assert all({"debt_to_income_ratio", "driver_tenure", "size_of_downpayment"}.isdisjoint(named(each)) for each in found)
    assert found[5].reasons[0].startswith("Brier score 0.0705")
    assert found[5].reasons[1].startswith("car_value: values moved (PSI 1.78, 0.25 is critical)")


def test_without_outcomes_the_fall_is_foreseen_and_only_warned_of(car: Baseline) -> None:
    found = chunks(car, loan("analysis"), with_outcomes=False)
    assert all(isinstance(each.estimate, Estimate) for each in found)
    assert [[each.kind for each in verdict.outcomes] for verdict in found] == [["estimated_auc"]] * 10
    assert {each.outcomes[0].severity for each in found} <= {"ok", "warn"}


def test_missing_and_unseen_values_are_named_by_column() -> None:
    reference = loan("reference", "dq_")
    baseline = freeze("car_loan", 1, columns(reference, LOAN), reference["y_pred_proba"], reference["repaid"])
    found = chunks(baseline, loan("analysis", "dq_"))
    assert [each.severity for each in found] == ["ok"] * 5 + ["critical"] * 5
    for verdict in found[5:]:
        reasons = {each.column: each.reason for each in verdict.columns}
        assert "of rows have no value, 10.0% before" in reasons["salary_range"]
        assert "of rows have no value, 10.0% before" in reasons["driver_tenure"]
        assert "of rows are of categories that it never met" in reasons["size_of_downpayment"]
        assert {each.column for each in verdict.columns if "no value" in each.reason} == {"salary_range", "driver_tenure"}


def test_a_model_frozen_in_2008_is_called_critical_in_2009_and_not_before() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = bank()
    names = [name for name in frame.columns if name != "y"]
    rng = np.random.default_rng(0)
    order = rng.permutation(ROWS_2008)
    fitted, held = np.sort(order[:17_000]), np.sort(order[17_000:])
    coded = frame.with_columns(pl.col(pl.String).cast(pl.Categorical).to_physical()).drop("y").to_numpy().astype(float)
    y = frame["y"].to_numpy()
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(coded[fitted], y[fitted])
    p = model.predict_proba(coded)[:, 1]
    frozen, later = held[::2], rng.permutation(held[1::2])
    every = columns(frame, names)
    baseline = freeze("bank", 1, {name: take(each, frozen) for name, each in every.items()}, p[frozen], y[frozen])

    def at(places: np.ndarray) -> Verdict:
        return look(baseline, {name: take(each, places) for name, each in every.items()}, p[places], y[places])

    calm = [at(later[start : start + 500]) for start in range(0, later.size - 500, 500)]
    assert len(calm) == 10
    assert [each.severity for each in calm] == ["ok"] * 10
    found = at(np.arange(ROWS_2008, ROWS_2008 + 250))
    assert found.severity == "critical"
    assert named(found, "critical") >= {"emp.var.rate", "euribor3m", "nr.employed", "month"}
    assert isinstance(found.estimate, Blind)
    assert "lies outside of what the model was made with" in found.estimate.reasons[0]
    assert [at(np.arange(start, start + 500)).severity for start in range(ROWS_2008, ROWS_2008 + 2000, 500)] == ["critical"] * 4


def drawn(rng: np.random.Generator, rows: int) -> tuple[dict[str, Column], np.ndarray, np.ndarray]:
    """A model of two numbers and a channel that is calibrated."""
    a, b, channel = rng.normal(size=rows), rng.gamma(2, 2, rows), rng.integers(0, 3, rows)
    p = 1 / (1 + np.exp(-(a + 0.2 * b - 1)))
    return {"a": a, "b": b, "channel": Coded(channel, ["gmail", "instagram", "whatsapp"])}, p, rng.random(rows) < p


@pytest.fixture(scope="module")
def planted() -> Baseline:
    rows, p, y = drawn(np.random.default_rng(0), 8000)
    by = rows["channel"]
    assert isinstance(by, Coded)
    return freeze("m", 3, rows, p, y, ("channel", by))


def test_a_model_that_forgot_what_rows_mean_is_critical_by_its_outcomes_alone(planted: Baseline) -> None:
    rows, p, _ = drawn(np.random.default_rng(1), 2000)
    wrong = np.random.default_rng(2).random(2000) < p.mean()
    found = look(planted, rows, p, wrong)
    assert (found.severity, named(found)) == ("critical", set())
    assert found.reasons[0].startswith("AUC 0.5")
    assert look(planted, rows, p).severity == "ok"  # without outcomes nobody can see it


def test_drift_of_one_segment_is_told_of_that_segment(planted: Baseline) -> None:
    rows, p, y = drawn(np.random.default_rng(3), 3000)
    by, a = rows["channel"], rows["a"]
    assert isinstance(by, Coded)
    assert isinstance(a, np.ndarray)
    moved = {**rows, "a": np.where(by.codes == 1, a + 1.2, a)}
    found = look(planted, moved, p, y)
    assert {(each.segment, each.column) for each in found.columns if each.severity == "critical"} == {("instagram", "a")}
    assert found.reasons[0].startswith("a where channel is instagram: values moved")
    few = np.flatnonzero((by.codes != 1) | (np.arange(3000) < 300))
    small = look(planted, {name: take(each, few) for name, each in moved.items()}, p[few], y[few])
    told = {(each.segment, each.column): each.severity for each in small.columns if each.severity != "ok"}
    assert told == {("instagram", "a"): "warn", ("", "channel"): "critical"}  # a part of 5 % of the rows rolls nothing back by itself


def test_more_looks_want_more_evidence(planted: Baseline) -> None:
    rows, p, y = drawn(np.random.default_rng(4), 300)
    first, tenth = look(planted, rows, p, y), look(planted, rows, p, y, number=10)
    assert tenth.level_critical == first.level_critical / 2**9


def test_few_rows_and_no_rows_are_a_stated_result(planted: Baseline) -> None:
    rows, p, _ = drawn(np.random.default_rng(5), 49)
    few = look(planted, rows, p)
    assert (few.severity, few.state, few.reasons) == (
        "ok",
        "too_few_rows",
        ("49 predictions in this week, 50 are needed: nothing is judged",),
    )
    none = decide(planted, tallies(planted), np.array([]), NONE)
    assert (none.severity, none.state, none.reasons) == ("ok", "no_rows", ("no predictions in this week",))
    assert isinstance(none.estimate, Blind)


@given(st.sampled_from(["nan", "inf", "missing", "constant", "unseen", "huge"]))
def test_damaged_rows_end_in_a_named_column_and_never_in_a_crash(planted: Baseline, damage: str) -> None:
    rows, p, y = drawn(np.random.default_rng(6), 1000)
    bad: dict[str, Column] = {
        "nan": {"a": np.full(1000, np.nan)}, "inf": {"a": np.full(1000, np.inf)}, "constant": {"a": np.zeros(1000)},
        "unseen": {"channel": Coded(np.zeros(1000, dtype=int), ["telegram"])}, "huge": {"a": np.full(1000, 1e300)}, "missing": {},
    }[damage]  # fmt: skip
    given_rows = {**rows, **bad}
    if damage == "missing":
        del given_rows["b"]
    if damage == "unseen":
        tallied = tallies(planted)
        tallied[""].add({**given_rows, PREDICTION: p}, 1000)
        found = decide(planted, tallied, p, performance(p, y))
    else:
        found = look(planted, given_rows, p, y)
    assert found.severity == "critical"
    assert {"missing": "b", "unseen": "channel"}.get(damage, "a") in named(found, "critical")


def test_a_baseline_is_plain_json_and_what_is_not_one_is_refused(planted: Baseline) -> None:
    text = planted.to_json()
    assert Baseline.from_json(text) == planted
    with pytest.raises(BaselineError, match="missing required field `parts`"):
        Baseline.from_json('{"model":"m","version":1,"segmented_by":""}')
    with pytest.raises(BaselineError, match="form 99; this version reads form 1"):
        Baseline.from_json(text.replace(b'"form":1', b'"form":99'))


def test_a_baseline_of_too_few_rows_or_of_unequal_columns_is_refused() -> None:
    with pytest.raises(BaselineError, match="m 1: 10 rows; a baseline takes at least 200"):
        freeze("m", 1, {}, np.zeros(10))
    with pytest.raises(BaselineError, match="other lengths: {'a': 3}"):
        freeze("m", 1, {"a": np.zeros(3)}, np.zeros(300))
    with pytest.raises(BaselineError, match="may not be called 'prediction'"):
        freeze("m", 1, {"prediction": np.zeros(300)}, np.zeros(300))
    only = freeze("m", 1, {}, np.linspace(0, 1, 300), np.zeros(300))
    assert (only.performance, only.calibration) == (None, None)


def test_limits_are_those_of_the_baseline(planted: Baseline) -> None:
    rows, p, y = drawn(np.random.default_rng(7), 2000)
    a = rows["a"]
    assert isinstance(a, np.ndarray)
    moved = {**rows, "a": a + 0.4}
    assert look(planted, moved, p, y).severity == "warn"
    by = rows["channel"]
    assert isinstance(by, Coded)
    before, p_before, y_before = drawn(np.random.default_rng(0), 8000)
    strict = freeze("m", 4, before, p_before, y_before, policy=Policy(values=Policy().unseen))
    assert look(strict, moved, p, y).severity == "critical"
    assert isinstance(performance(p, y), Performance)
