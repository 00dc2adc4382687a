"""The model of leads: what it learns of a planted truth, what its parts sum to, what it refuses, and its file."""

import itertools
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from ml import evaluation, model_file
from ml.columns import Coded, FeatureError, take
from ml.features import Contract, Feature, LeakageError, guard, unseen
from ml.lead_scoring import MILLION, LeadModel
from ml.model_card import card, page
from ml.shrinkage import effects
from ml.training import NotEnough, Rows, Trained, split, train
from tests.ml.leads import CONTRACT, planted


@cache
def trained(seed: int = 0, count: int = 2500) -> Trained:
    found = train(
        CONTRACT, planted(count, seed, tenants={"big": 0.0, "other": 0.6}).rows, points=planted(count, seed).rows.columns["budget"]
    )
    assert isinstance(found, Trained)
    return found


def test_it_finds_the_planted_truth_and_says_how_sure_it_may_be() -> None:
    fresh = planted(6000, 9, tenants={"big": 0.0})
    p = trained().models["big"].score(fresh.rows.columns).probability
    truth = evaluation.quality(fresh.rows.outcome, fresh.truth)
    found = evaluation.quality(fresh.rows.outcome, p)
    assert truth.auc is not None
    assert found.auc is not None
    assert found.auc > truth.auc - 0.02
    assert found.ece < 0.05
    assert np.abs(p - fresh.truth).mean() < 0.07


def test_baselines_are_reported_beside_it() -> None:
    judged = trained().judged
    assert judged is not None
    assert set(judged.of) == {"model", "logistic", "base_rate", "points"}
    assert judged.of["base_rate"].auc == 0.5
    assert judged.of["model"].log_loss < judged.of["base_rate"].log_loss


def test_parts_sum_to_the_score_exactly_and_the_score_is_the_probability() -> None:
    model, columns = trained().models["other"], planted(500, 3).rows.columns
    scores, said = model.score(columns), model.explain(columns)
    assert (said.base + said.parts.sum(axis=1) == scores.score).all()
    assert (scores.probability == expit(scores.score / MILLION)).all()
    assert said.names == ("budget", "speed", "intent")


def test_parts_are_shapleys_values_by_all_subsets() -> None:
    model, columns = trained().models["big"], planted(12, 4).rows.columns
    encoded, said = model.encoder.encode(columns), model.explain(columns)
    owners, count = model.encoder.owners, len(model.encoder.readers)

    def value(row: int, known: tuple[int, ...]) -> float:
        raw, linear = model.typical.raw.copy(), model.typical.linear.copy()
        for place in known:
            raw[0, place] = encoded.raw[row, place]
            linear[0, owners == place] = encoded.linear[row, owners == place]
        return float(model.scale * model.raw(type(encoded)(linear, raw))[0])

    for row in range(12):
        for place in range(count):
            others, total = [each for each in range(count) if each != place], 0.0
            for size in range(count):
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                total += weight * sum(value(row, (*each, place)) - value(row, each) for each in itertools.combinations(others, size))
            assert said.parts[row, place] == pytest.approx(total * MILLION, abs=2)


def test_the_order_of_rows_changes_nothing() -> None:
    rows = planted(400, 5).rows
    order = np.random.default_rng(0).permutation(400)
    mixed = Rows(take(rows.columns, order), *(np.asarray(each)[order] for each in rows[1:5]))
    one, other = (train(CONTRACT, each, is_judged=False) for each in (rows, mixed))
    assert isinstance(one, Trained)
    assert isinstance(other, Trained)
    assert (one.models["t"].score(rows.columns).score == other.models["t"].score(rows.columns).score).all()


def test_what_is_later_than_the_cut_or_known_only_after_it_is_not_learnt_from() -> None:
    moment = np.arange(10.0)
    early, late = split(moment, moment + 3, 0.2)
    assert late.tolist() == [8, 9]
    assert early.tolist() == [0, 1, 2, 3, 4, 5]
    assert split(np.zeros(5), np.ones(5), 0.2)[0].tolist() == []  # one moment is not cut


def test_a_tenant_borrows_what_its_own_outcomes_do_not_tell() -> None:
    rng, parts = np.random.default_rng(0), []
    for name, count, level in (("three", 3, 40.0), ("few", 60, 1.5), ("many", 5000, 1.5), ("usual", 5000, -0.5), ("other", 5000, 0.3)):
        z = rng.normal(size=count)
        parts.append((z, (rng.random(count) < expit(z + level)).astype(float), np.repeat(name, count)))
    z, y, who = (np.concatenate(each) for each in zip(*parts, strict=True))
    found = effects(z, y, who)
    assert found.of["many"].shift == pytest.approx(1.5, abs=0.15)
    assert 0.4 < found.of["few"].shift < 1.9
    assert 0 < found.of["three"].shift < 2  # three of three: alone it would be certain of all to come
    alone = effects(np.zeros(300), np.r_[np.ones(100), np.zeros(200)], np.repeat(["a", "b", "c"], 100))
    assert set(alone.of) == {"a", "b", "c"}


def test_borrowing_predicts_small_tenants_better_than_either_extreme() -> None:
    rng = np.random.default_rng(3)
    losses = np.zeros(3)
    levels = rng.normal(0, 0.8, 40)
    z = rng.normal(size=(40, 40))
    y = (rng.random((40, 40)) < expit(z + levels[:, None])).astype(float)
    who = np.repeat(np.arange(40), 40)
    found = effects(z.ravel(), y.ravel(), who)
    for place, level in enumerate(levels):
        own, mean = found.of[str(place)], y[place].mean()
        fresh = rng.normal(size=2000)
        truth = expit(fresh + level)
        own_rate = np.clip(mean, 0.01, 0.99)
        alone = np.log(own_rate / (1 - own_rate))
        for rank, eta in enumerate((own.shift + (1 + own.slope) * fresh, fresh, np.full(2000, alone))):
            losses[rank] += np.mean(np.logaddexp(0, eta) - truth * eta)
    assert losses[0] < losses[1]
    assert losses[0] < losses[2]


def test_a_feature_from_after_the_moment_is_refused() -> None:
    rows = planted(200).rows
    leak = Contract((*CONTRACT.features, Feature("duration", "number", "after")))
    with pytest.raises(LeakageError, match="feature duration is known only after the moment"):
        train(leak, rows._replace(columns={**rows.columns, "duration": np.ones(200)}))
    with pytest.raises(LeakageError, match="feature duration does not say when it is known"):
        guard(Contract((Feature("duration", "number"),)), {"duration": [1.0]}, [0.0])
    with pytest.raises(LeakageError, match="budget became known after the moment in 1 of 2 rows, first in row 1"):
        guard(Contract(CONTRACT.features[:1]), {"budget": [1.0, 2.0]}, [10.0, 20.0], known_at={"budget": [10.0, 20.000001]})
    with pytest.raises(LeakageError, match="1 of 2 outcomes were known at the moment already, first in row 0"):
        guard(Contract(CONTRACT.features[:1]), {"budget": [1.0, 2.0]}, [10.0, 20.0], outcomes_at=[10.0, 20.5])


def changed(rows: Rows, **columns: Any) -> Rows:
    return rows._replace(columns={**rows.columns, **columns})


def test_bad_input_is_a_stated_result_or_a_refusal() -> None:
    rows = planted(300, 7).rows
    few = train(CONTRACT, rows._replace(outcome=np.r_[np.ones(5), np.zeros(295)]))
    assert few == NotEnough("5 of 300 rows with an outcome are positive: 30 of either outcome are wanted to fit a model")
    assert isinstance(train(CONTRACT, rows._replace(outcome=np.ones(300))), NotEnough)
    assert isinstance(train(CONTRACT, rows._replace(outcome=np.full(300, np.nan))), NotEnough)
    with pytest.raises(evaluation.EvaluationError, match="outcome 2.0"):
        train(CONTRACT, rows._replace(outcome=np.full(300, 2.0)))
    with pytest.raises(FeatureError, match="feature speed has no column; there are: budget, intent"):
        train(CONTRACT, rows._replace(columns={name: rows.columns[name] for name in ("budget", "intent")}))
    with pytest.raises(FeatureError, match="feature speed is to be a number"):
        train(CONTRACT, changed(rows, speed=np.full(300, "fast")))
    with pytest.raises(FeatureError, match="every feature is constant"):
        train(CONTRACT, changed(rows, budget=np.zeros(300), speed=np.full(300, np.nan), intent=np.full(300, "buy")))


def test_constant_new_infinite_and_missing_values_are_dealt_with_and_told() -> None:
    rows = planted(600, 8).rows
    speed = np.array(rows.columns["speed"])
    speed[:3] = [np.inf, -np.inf, np.nan]
    found = train(CONTRACT, changed(rows, budget=np.ones(600), speed=speed, extra=np.zeros(600)), is_judged=False)
    assert isinstance(found, Trained)
    told = {(each.kind, each.about) for each in found.findings}
    assert told == {("constant", "budget"), ("infinite", "speed"), ("new_column", "extra")}
    odd = {"speed": [np.nan, np.inf, 1e300, -1e300], "intent": [None, "never seen", float("nan"), True]}
    scores = found.models["t"].score({name: np.array(each, dtype=object) for name, each in odd.items()})
    assert np.isfinite(scores.probability).all()
    assert ((scores.probability > 0) & (scores.probability < 1)).all()
    assert [each.kind for each in unseen(found.models["t"].encoder, {"intent": np.array(["buy", "lease"])})] == ["unseen"]
    assert found.models["t"].score({"speed": np.zeros(0), "intent": np.zeros(0, dtype=object)}).score.shape == (0,)
    with pytest.raises(FeatureError, match="feature intent has no column"):
        found.models["t"].score({"speed": np.zeros(3)})


def test_coded_texts_score_and_explain_as_the_texts_do() -> None:
    model = trained().models["big"]
    columns = {name: np.asarray(each) for name, each in planted(500, 3).rows.columns.items()}
    words = [None, "", "never seen", *columns["intent"].tolist()[3:]]
    plain = columns | {"intent": np.array(words, dtype=object)}
    coded = columns | {"intent": Coded.of(words)}
    assert (model.score(coded).score == model.score(plain).score).all()
    assert (model.explain(coded).parts == model.explain(plain).parts).all()
    assert unseen(model.encoder, coded) == unseen(model.encoder, plain)
    with pytest.raises(FeatureError, match="feature speed is to be a number, and is coded texts"):
        model.score(columns | {"speed": Coded.of(words)})


def test_the_file_gives_the_same_model_back_and_is_made_of_allowed_types_alone() -> None:
    model, columns = trained().models["big"], planted(100, 3).rows.columns
    data, sha256 = model_file.to_bytes(model)
    back = model_file.from_bytes(data, sha256)
    assert (back.score(columns).score == model.score(columns).score).all()
    assert back.contract == model.contract
    assert (back.explain(columns).parts == model.explain(columns).parts).all()


def test_a_tampered_file_is_refused() -> None:
    from skops import io

    data, sha256 = model_file.to_bytes(trained().models["big"])
    for place in (0, len(data) // 2, len(data) - 1):
        broken = bytearray(data)
        broken[place] ^= 1
        with pytest.raises(model_file.ModelFileError, match="the file was changed"):
            model_file.from_bytes(bytes(broken), sha256)
    with pytest.raises(model_file.ModelFileError, match="types that are not allowed: .*partial"):
        from functools import partial

        model_file.read(io.dumps({"format": 1, "trees": [partial(print, "harm")]}))
    for wrong in (b"", b"no zip", io.dumps({"format": 99}), io.dumps([1, 2])):
        with pytest.raises(model_file.ModelFileError):
            model_file.read(wrong)


def test_the_card_says_what_there_is_to_know() -> None:
    found = trained()
    assert found.judged is not None
    made = card(found, {"model": "lead_conversion", "owner": "team:data"}, {"tenant": found.judged.tenant})
    text = page(made)
    for words in ("owner: team:data", "## Calibration", "## By tenant", "| logistic |", "## Limits"):
        assert words in text, words
    assert made["groups"]["tenant"].keys() == {"big", "other"}
    silent = card(replace(found, judged=None), {"model": "m"})
    assert "Not judged: too few later outcomes" in page(silent)


def test_scores_beyond_all_measure_stay_within_bounds_and_sum() -> None:
    model: LeadModel = replace(trained().models["big"], scale=500.0)
    columns = planted(50, 2).rows.columns
    said = model.explain(columns)
    assert (said.base + said.parts.sum(axis=1) == model.score(columns).score).all()
    assert np.abs(model.score(columns).score).max() <= 30 * MILLION
