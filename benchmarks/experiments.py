"""What inference costs, against gbstats on the same moments; and how often the kill switch is wrong and right, against a fixed test.

gbstats needs numpy 1 and pandas 1, so it runs in an environment of its own, `.venv-gbstats`, that the first run makes.
`python -m benchmarks.experiments [--experiments 1000] [--streams 10000] --json`
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks._claim import ROOT, Claim
from ml.experiments.analysis import MomentTable, ResultTable, analyse
from ml.experiments.inference import compare_all
from ml.experiments.pairs import pair_of
from tests.ml.simulated import config, killed_on, looks

_PEER = ROOT / ".venv-gbstats"
_KINDS = np.array(["proportion", "mean", "ratio", "cuped"])
_COMPARED = 4000  # results that the peer makes: 2 s of it
_METRICS, _VARIANTS = 10, 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000, help="of 10 metrics and 3 variants each")
    parser.add_argument("--streams", type=int, default=10_000, help="simulated experiments of 30 daily looks")
    parser.add_argument("--runs", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    for claim in (*speed(options.experiments, options.runs), *switch(options.streams)):
        print(claim.report(), flush=True)


def speed(experiments: int, runs: int) -> Iterator[Claim]:
    """From moments to results, against the limit and against the peer; raises where both define the same and differ."""
    table = _table(experiments)
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        found = analyse(table)
        seconds.append(time.perf_counter() - started)
    size = f"{experiments} experiments x {_METRICS} metrics x {_VARIANTS} variants, load {os.getloadavg()[0]:.1f}"
    yield Claim("moments to results", min(seconds), "s", "limit", 2.0, 1.0, size)
    results = len(found.experiment)
    peer_seconds, theirs, places = _peer(table, found)
    _same(table, found, theirs, places)
    mine, others = results / min(seconds), len(places) / peer_seconds
    yield Claim("results a second", mine, "1/s", "gbstats 0.8", others, 50.0, size, is_floor=True)


def switch(streams: int) -> Iterator[Claim]:
    """The kill switch on streams of 200 users a day an arm, 5 % conversion, 3 guardrails, 30 daily looks."""
    size = f"{streams} streams x 30 looks, seed 1"
    calm = looks(streams, seed=1)
    ever = int(np.isfinite(killed_on(config(), calm)).sum())
    pair = pair_of(calm.metrics["converted"]["a"], calm.metrics["converted"]["b"])
    fixed = float((compare_all(pair).p_value < 0.05).any(axis=1).mean())
    yield Claim("ever killed without harm, joint", ever / streams, "share", "fixed test of 5 % at each look", fixed, 1.0, size)
    upper = float(stats.beta.ppf(0.95, ever + 1, streams - ever))
    yield Claim("ever killed without harm, upper 95 % bound", upper, "share", "level", 0.05, 1.0, size)
    weak = killed_on(config(), looks(streams, seed=2, treated=0.04))
    yield Claim(
        "a fifth less conversion stopped in 30 days", float(np.isfinite(weak).mean()), "share", "aim", 0.70, 1.0, size, is_floor=True
    )
    strong = killed_on(config(), looks(streams, seed=3, treated=0.025))
    yield Claim("half the conversion stopped, median day", float(np.median(strong)), "day", "aim", 5.0, 1.0, size)


def _table(experiments: int) -> MomentTable:
    rng = np.random.default_rng(0)
    shape = np.arange(experiments), np.arange(_METRICS), np.arange(_VARIANTS)
    experiment, metric, variant = (each.ravel() for each in np.meshgrid(*shape, indexing="ij"))
    rows = experiment.size
    n = rng.integers(1000, 5000, (experiments, _VARIANTS))[experiment, variant].astype(float)
    kind = _KINDS[metric % 4]
    mean = rng.uniform(0.05, 0.2, rows)
    variance, other_variance = rng.uniform(0.5, 1, rows), rng.uniform(0.5, 1, rows)
    return MomentTable(
        experiment=np.char.add("e", experiment.astype(str)),
        metric=np.char.add("m", metric.astype(str)),
        variant=np.char.add("v", variant.astype(str)),
        is_control=variant == 0,
        share=np.full(rows, 1 / _VARIANTS),
        kind=kind,
        n=n,
        mean=np.where(kind == "proportion", np.rint(mean * n) / n, mean),
        variance=variance,
        other_mean=rng.uniform(1, 2, rows),
        other_variance=other_variance,
        covariance=0.4 * np.sqrt(variance * other_variance),
    )


def _peer(table: MomentTable, found: ResultTable) -> tuple[float, np.ndarray, np.ndarray]:
    """Seconds and results of the peer on the first results of ours, and their places in the table."""
    if not (_PEER / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_PEER)], check=True)
        subprocess.run([_PEER / "bin" / "pip", "install", "--quiet", "gbstats==0.8.0"], check=True)
    places = np.flatnonzero(~table.is_control)[:_COMPARED]
    controls = places - np.argmax(np.char.add("v", np.arange(_VARIANTS).astype(str))[:, None] == table.variant[places], axis=0)
    columns = np.stack([table.n, table.mean, table.variance, table.other_mean, table.other_variance, table.covariance], axis=1)
    kinds = np.argmax(_KINDS[:, None] == table.kind[places], axis=0)
    rows = np.column_stack([kinds, columns[controls], columns[places]])
    with tempfile.TemporaryDirectory(prefix="flexoraa-bench-") as folder:
        np.save(Path(folder) / "moments.npy", rows)
        command = [str(_PEER / "bin" / "python"), str(ROOT / "benchmarks" / "_gbstats_peer.py"), folder]
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return seconds, np.load(Path(folder) / "results.npy", allow_pickle=False), places


def _same(table: MomentTable, found: ResultTable, theirs: np.ndarray, places: np.ndarray) -> None:
    """What both define alike: effects but of CUPED (their slope takes in the arms' difference), intervals and p-values of means."""
    mine = found.comparisons
    effects, kinds = mine.effect[: len(places)], table.kind[places]
    np.testing.assert_allclose(effects[kinds != "cuped"], theirs[kinds != "cuped", 0], rtol=1e-8, atol=1e-12)
    ours = np.column_stack([mine.ci_low, mine.ci_high, mine.p_value])[: len(places)]
    np.testing.assert_allclose(ours[kinds == "mean"], theirs[kinds == "mean", 1:], rtol=1e-7, atol=1e-9)  # their p is 1 - cdf


if __name__ == "__main__":
    main()
