"""Drift beside its references: published areas, the known points of two real data sets, a thousand years without drift, and speed.

Data sets are read from ../shared/data and left out where that is absent. Evidently is the peer of speed, DuckDB's scan of the same file
the limit.
`python -m benchmarks.models --only drift [--drift-rows 10000000] [--columns 50] [--peer-rows 200000] [--years 1000] --json`
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from benchmarks._claim import Claim
from ml.columns import Coded, Column
from ml.drift.baseline import PREDICTION, Baseline, freeze, take
from ml.drift.decision import Verdict, decide, tallies
from ml.drift.outcomes import NotEnough, performance
from orchestration.resources.scored_rows import plain
from tests.ml.drift_frames import LOAN, LOAN_AUCS, ROWS_2008, bank, columns, loan
from tests.ml.drift_replays import replay, replay_outcomes

_NONE = NotEnough("no outcomes")
_TEXTS = 10  # of 50 columns, as many are text
_BATCH = 131_072


def claims(options: argparse.Namespace) -> Iterator[Claim]:
    """All of them; sizes are `options.drift_rows`, `columns`, `peer_rows` and `years`."""
    yield from known_points()
    yield from calm(options.years)
    yield from speed(options.drift_rows, options.columns)
    yield from peer(options.peer_rows)


def known_points() -> Iterator[Claim]:
    """Where the data sets are: areas to four decimals, the chunk and the row of the first alarm."""
    try:
        reference, later = loan("reference"), loan("analysis")
        p, y = later["y_pred_proba"].to_numpy(), later["repaid"].to_numpy()
        made = freeze("car_loan", 1, columns(reference, LOAN), reference["y_pred_proba"], reference["repaid"])
        areas, alarms = [], []
        for at in range(0, 50_000, 5000):
            part = slice(at, at + 5000)
            found = _look(made, columns(later[part], LOAN), p[part], y[part])
            areas.append(found.performance.auc.value if not isinstance(found.performance, NotEnough) else float("nan"))
            alarms.append(any(each.column == "car_value" and each.severity != "ok" for each in found.columns))
        size = "nannyml car loan, 10 chunks of 5,000"
        worst = max(abs(round(mine, 6) - theirs) for mine, theirs in zip(areas, LOAN_AUCS, strict=True))
        yield Claim("chunk AUCs, largest difference", worst, "AUC", "published, to 4 decimals", 5e-5, 1.0, size)
        yield Claim(
            "first chunk with an alarm on car_value", float(alarms.index(True)), "chunk", "where it jumps", 5.0, 1.0, size, is_floor=True
        )
        first = _first_row(made, later)
        yield Claim("rows after the jump until car_value is critical", float(first), "row", "limit", 5000.0, 1.0, f"{size}, in steps of 50")
    except pytest.skip.Exception as absent:
        print(f'{{"skipped": "{absent}"}}', flush=True)
    try:
        yield _frozen_2008()
    except pytest.skip.Exception as absent:
        print(f'{{"skipped": "{absent}"}}', flush=True)


def _first_row(made: Baseline, later: pl.DataFrame) -> int:
    frame = later[25_000:30_000]
    p = frame["y_pred_proba"].to_numpy()
    every = columns(frame, LOAN)
    for rows in range(50, 5001, 50):
        found = _look(made, {name: take(each, np.arange(rows)) for name, each in every.items()}, p[:rows])
        if any(each.column == "car_value" and each.severity == "critical" for each in found.columns):
            return rows
    return 10**9


def _frozen_2008() -> Claim:
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = bank()
    names = [name for name in frame.columns if name != "y"]
    every, y = columns(frame, names), frame["y"].to_numpy()
    x = np.column_stack([np.asarray(each.codes, dtype=float) if isinstance(each, Coded) else each for each in every.values()])
    order = np.random.default_rng(0).permutation(ROWS_2008)
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(x[order[:17_000]], y[order[:17_000]])
    p = model.predict_proba(x)[:, 1]
    held = np.sort(order[17_000:])
    made = freeze("bank", 1, {name: take(each, held) for name, each in every.items()}, p[held], y[held])
    for rows in range(50, 2001, 50):
        places = np.arange(ROWS_2008, ROWS_2008 + rows)
        if _look(made, {name: take(each, places) for name, each in every.items()}, p[places], y[places]).severity == "critical":
            break
    return Claim(
        "rows of 2009 until a model of 2008 is critical", float(rows), "row", "limit", 2000.0, 1.0, "bank_marketing, in steps of 50"
    )


def _look(made: Baseline, rows: dict[str, Column], p: np.ndarray, y: np.ndarray | None = None) -> Verdict:
    tallied = tallies(made)
    tallied[""].add({**rows, PREDICTION: p}, p.size)
    return decide(made, tallied, p, _NONE if y is None else performance(p, y))


def calm(years: int) -> Iterator[Claim]:
    """Models without drift, one look a week."""
    found = replay(years, seed=12)
    size = f"{years} model-years of 52 looks, 4 to 24 columns, 60 to 5,000 rows a week, seed 12"
    yield Claim("false criticals a model-year", found["critical"], "alarm", "aim", 1.0, 1.0, size)
    yield Claim("weeks a year in which chance seemed ruled out", found["ruled_out"], "week", "level spent", 0.025, 1.0, size)
    yield Claim("false warnings a model-year", found["warned"], "alarm", "level spent", 0.25, 1.0, size)
    fewer = max(1, years // 10)
    outcomes = replay_outcomes(fewer, seed=1)
    size = f"{fewer} model-years of 52 looks at 100 to 1,000 outcomes, seed 1"
    yield Claim("false criticals by outcomes a model-year", outcomes["critical"], "alarm", "aim", 1.0, 1.0, size)


def speed(rows: int, count: int) -> Iterator[Claim]:
    """A verdict on a Parquet file against a scan of the same columns by DuckDB, with as many threads."""
    texts = count * _TEXTS // 50
    numbers = count - texts
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        path = Path(folder) / "rows.parquet"
        drawn = [f"round(-ln(1 - random()) * {10 + at}, 3) as n{at}" for at in range(numbers)]
        drawn += [f"'value ' || cast(floor(random() * random() * {5 + at}) as int) as t{at}" for at in range(texts)]
        with duckdb.connect() as connection:
            connection.execute("set enable_progress_bar = false")
            connection.execute(f"copy (select {', '.join(drawn)}, random() as prediction from range({rows})) to '{path}' (format parquet)")
            names = [f"n{at}" for at in range(numbers)] + [f"t{at}" for at in range(texts)]
            sample = connection.sql(f"from read_parquet('{path}') limit 50000").to_arrow_table()
            before = {name: _column(sample.column(name)) for name in [*names, PREDICTION]}
            told = np.asarray(before.pop(PREDICTION))
            made = freeze("m", 1, before, told)
            scan = ", ".join([f"sum(n{at})" for at in range(numbers)] + [f"max(t{at})" for at in range(texts)])
            reference = min(
                _timed(lambda: connection.execute(f"select {scan}, sum(prediction) from read_parquet('{path}')").fetchall())
                for _ in range(2)
            )
            mine = min(_timed(lambda: _verdict(connection, path, made)) for _ in range(2))
    size = f"{rows:,} rows x {count} columns ({texts} text), Parquet, load {os.getloadavg()[0]:.1f}"
    yield Claim("drift verdict", mine, "s", "one DuckDB scan of the same columns", reference, 10.0, size)


def _verdict(connection: duckdb.DuckDBPyConnection, path: Path, made: Baseline) -> None:
    tallied, told = tallies(made), []
    for batch in connection.sql(f"from read_parquet('{path}')").to_arrow_reader(_BATCH):
        every = {name: _column(batch.column(at)) for at, name in enumerate(batch.schema.names)}
        tallied[""].add(every, batch.num_rows)
        told.append(every[PREDICTION])
    found = decide(made, tallied, np.concatenate(told), _NONE)
    if found.severity != "ok":
        raise AssertionError(f"rows like the baseline's are called {found.severity}: {found.reasons}")


def peer(rows: int) -> Iterator[Claim]:
    """Evidently's preset on two frames of 20 columns, against freezing the one as a baseline and judging the other by it."""
    if not rows:
        return
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {f"n{at}": rng.gamma(2, 3, rows) for at in range(16)} | {f"t{at}": rng.choice(list("abcdef"), rows) for at in range(4)}
        )
        for _ in range(2)
    ]
    definition = DataDefinition(numerical_columns=[f"n{at}" for at in range(16)], categorical_columns=[f"t{at}" for at in range(4)])

    def theirs() -> None:
        made = Report([DataDriftPreset()]).run(*(Dataset.from_pandas(each, definition) for each in reversed(frames)))
        made.dict()

    def ours() -> None:
        coded = []
        for frame in frames:
            numbers: dict[str, Column] = {name: frame[name].to_numpy() for name in definition.numerical_columns or []}
            for name in definition.categorical_columns or []:
                codes, values = pd.factorize(frame[name])
                numbers[name] = Coded(codes, values.tolist())
            coded.append(numbers)
        told = np.full(rows, 0.5)
        _look(freeze("m", 1, coded[0], told), coded[1], told)

    mine, others = min(_timed(ours) for _ in range(2)), _timed(theirs)
    size = f"{rows:,} + {rows:,} rows x 20 columns, baseline frozen too, load {os.getloadavg()[0]:.1f}"
    yield Claim(
        "two frames compared, how many times as quick",
        others / mine,
        "x",
        "Evidently 0.7.23's DataDriftPreset",
        1.0,
        20.0,
        size,
        is_floor=True,
    )


def _column(column: pa.Array | pa.ChunkedArray) -> Column:
    found = plain(column)
    return Coded(*found) if isinstance(found, tuple) else found


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
