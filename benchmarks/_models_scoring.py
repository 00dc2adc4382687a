"""The lead model on real sales contacts in their order in time, and what scoring costs beside the estimators' own work.

bank_marketing (Moro, Cortez and Rita 2014): without `duration`, which is known only after the call; a rolling window of 20,000 rows, a new
fit every `--step` rows, all later rows pooled. Speed: columns of Arrow to columns of scores, as on
Spark, against `predict_proba` of the same members on ready arrays.
`python -m benchmarks.models --only scoring [--step 500] [--rows 200000] --json`
"""

import argparse
import csv
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from benchmarks._claim import ROOT, Claim
from core.models import Shadow, answer_drift
from ml import evaluation
from ml.columns import take
from ml.features import Contract, Feature
from ml.training import Rows, Trained, train
from orchestration.resources.scoring import columns_of

_FILE = ROOT.parent / "shared" / "data" / "bank_marketing" / "bank-additional-full.csv"
_NUMBERS = {
    "age", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed",
}  # fmt: skip
_WINDOW = 20_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def claims(options: argparse.Namespace) -> Iterator[Claim]:
    """All of them; `options.step` rows lie between two fits, `options.rows` are scored for speed."""
    found = read()
    if found is None:
        raise FileNotFoundError("../shared/data/bank_marketing is not here")
    contract, rows, years = found
    yield from rolling(contract, rows, options.step)
    yield from drifted(contract, rows, years)
    yield from speed(contract, rows, options.rows)


def read() -> tuple[Contract, Rows, np.ndarray] | None:
    """The contract, the rows in their order, and the year of each: the month falls back where a year begins."""
    if not _FILE.exists():
        return None
    with _FILE.open(newline="") as file:
        table = list(csv.DictReader(file, delimiter=";"))
    names = [name for name in table[0] if name not in {"duration", "y"}]
    contract = Contract(tuple(Feature(name, "number" if name in _NUMBERS else "category", "moment") for name in names))
    columns = {name: np.array([row[name] for row in table], dtype=float if name in _NUMBERS else object) for name in names}
    month = np.array([_MONTHS.index(row["month"]) for row in table])
    years = 2008 + np.cumsum(np.diff(month, prepend=month[0]) < 0)
    y = np.array([row["y"] == "yes" for row in table], dtype=float)
    at = np.arange(len(y), dtype=float)
    return contract, Rows(columns, at, y, at + 0.5, np.repeat("bank", len(y))), years


def part(rows: Rows, kept: slice) -> Rows:
    """Some rows."""
    places = np.arange(len(np.asarray(rows.outcome)))[kept]
    return Rows(take(rows.columns, places), *(np.asarray(each)[kept] for each in rows[1:5]))


def fitted(contract: Contract, rows: Rows) -> Trained:
    """A fit that is not judged."""
    found = train(contract, rows, is_judged=False)
    if not isinstance(found, Trained):
        raise ValueError(found.reason)
    return found


def rolling(contract: Contract, rows: Rows, step: int) -> Iterator[Claim]:
    """Pooled over all rows after the first window."""
    y = np.asarray(rows.outcome)
    p = np.zeros(len(y))
    for at in range(_WINDOW, len(y), step):
        ahead = slice(at, at + step)
        p[ahead] = fitted(contract, part(rows, slice(at - _WINDOW, at))).models[""].score(part(rows, ahead).columns).probability
    found = evaluation.quality(y[_WINDOW:], p[_WINDOW:])
    size = f"{found.rows} rows, window {_WINDOW}, step {step}, no duration, load {os.getloadavg()[0]:.1f}"
    ranked = np.array([found.auc, found.alift, found.best_half], dtype=float).tolist()
    yield Claim("bank_marketing pooled AUC", ranked[0], "area", "wanted (plain boosting 0.753, paper 0.80)", 0.76, 1.0, size, is_floor=True)
    yield Claim(
        "bank_marketing pooled ALIFT", found.alift, "area", "wanted (plain boosting 0.709, paper 0.70)", 0.71, 1.0, size, is_floor=True
    )
    reference = "wanted (plain boosting 0.787, paper 0.79)"
    yield Claim("bank_marketing buyers in the best half", ranked[2], "share", reference, 0.79, 1.0, size, is_floor=True)
    yield Claim("bank_marketing pooled ECE", found.ece, "share", "wanted", 0.03, 1.0, size)


def drifted(contract: Contract, rows: Rows, years: np.ndarray) -> Iterator[Claim]:
    """Frozen on 2008: after each 1,000 rows of 2009 a new fit, judged by the next 1,000, until it is shown to be better."""
    y = np.asarray(rows.outcome)
    change = int(np.flatnonzero(years == 2009)[0])
    frozen = fitted(contract, part(rows, slice(0, change))).models[""]
    moment = datetime(2009, 2, 1, tzinfo=UTC)
    for seen in range(change + 1000, len(y) - 2000, 1000):
        judged, fresh = slice(seen, seen + 1000), slice(seen + 1000, len(y))
        again = fitted(contract, part(rows, slice(seen - _WINDOW, seen))).models[""]
        pair = evaluation.compare(y[judged], *(each.score(part(rows, judged).columns).probability for each in (frozen, again)))
        shadow = Shadow(2, pair.rows, pair.positives, pair.gain, pair.gain_low, pair.gain_high)
        if answer_drift("critical", "planted by the year", moment, [shadow], is_retrained=True).kind == "promote":
            break
    taken = float(judged.stop - change)
    yield Claim(
        "rows of 2009 until the retrained takes the place", taken, "rows", "rows of 2009", float((years == 2009).sum()), 0.5, "by 1,000"
    )
    both = evaluation.compare(y[fresh], *(each.score(part(rows, fresh).columns).probability for each in (frozen, again)))
    areas = np.array([both.first_auc, both.second_auc], dtype=float).tolist()
    size = f"{fresh.stop - fresh.start} rows after it"
    yield Claim("AUC after it, retrained once", areas[1], "area", "frozen on 2008", areas[0], 1.0, size, is_floor=True)
    yield Claim("log loss gained a row, lower 95 % bound", 1 + both.gain_low, "1 + nats", "no gain", 1.0, 1.0, size, is_floor=True)


def speed(contract: Contract, rows: Rows, count: int) -> Iterator[Claim]:
    """Rows a second from features to scores, against the members' own `predict_proba` on ready arrays; one thread, processor time."""
    from sklearn.linear_model import LogisticRegression

    model = fitted(contract, part(rows, slice(0, _WINDOW))).models[""]
    places = np.random.default_rng(0).integers(0, len(np.asarray(rows.outcome)), count)
    columns = take(rows.columns, places)
    batch = pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})
    encoded = model.encoder.encode(columns)
    line = LogisticRegression()
    line.classes_, line.coef_, line.intercept_ = np.array([0, 1]), model.logistic[None, :-1], model.logistic[-1:]

    def ready() -> None:
        line.predict_proba(encoded.linear)
        for each in model.trees:
            each.predict_proba(encoded.raw)

    ways = {"arrow": lambda: model.score(columns_of(model, batch)), "ready": ready}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with threadpool_limits(limits=1):
        for _ in range(5):
            for name, work in ways.items():
                started = time.process_time()
                work()
                seconds[name].append(time.process_time() - started)
    rates = {name: count / min(each) for name, each in seconds.items()}
    size = f"{count} rows, {len(contract.features)} features, 1 thread, load {os.getloadavg()[0]:.1f}"
    reference = "predict_proba of its members, ready arrays"
    yield Claim("columns of Arrow to scores", rates["arrow"], "rows/s", reference, rates["ready"], 0.7, size, is_floor=True)
