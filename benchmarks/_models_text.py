"""Message signals against what is published and against a plain peer: intents of four public sets, persuasion strategies, speed.

The project's own classifier is fitted on each set's train part and asked about its test part; the peer of speed is scikit-learn's tf-idf
with one linear machine, on the same messages. Sets lie in ../shared/data; a claim whose set is not there is left out, and said.
`python -m benchmarks.models --only text [--sets hint3 persuasion speed] --json`
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _persuasion
from benchmarks._claim import ROOT, Claim

DATA = ROOT.parent / "shared" / "data"
Split = tuple[list[str], list[str], list[str], list[str]]


def claims(options: argparse.Namespace) -> Iterator[Claim]:
    """All of `options.sets`."""
    measures = {"hint3": hint3, "hwu64": hwu64, "banking77": banking77, "clinc150": clinc150, "persuasion": persuasion, "speed": speed}
    for name in options.sets or measures:
        try:
            yield from measures[name]()
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def hint3() -> Iterator[Claim]:
    """Real traffic of three Indian bots, with what belongs to no intent."""
    for bot, reference in (("curekart", 0.832), ("sofmattress", 0.740), ("powerplay11", 0.611)):
        folder = DATA / "hint3" / "dataset" / "v1"
        train, test = (_rows(folder / part / f"{bot}_{part}.csv", "sentence", "label") for part in ("train", "test"))
        yield from _intents(f"hint3 {bot}", (*train, *test), reference)


def hwu64() -> Iterator[Claim]:
    """Its own split."""
    parts = [(DATA / "hwu64" / part / name).read_text().splitlines() for part in ("train", "test") for name in ("seq.in", "label")]
    yield from _intents("hwu64", tuple(parts), 0.885)


def banking77() -> Iterator[Claim]:
    """Its own split."""
    train, test = (_rows(DATA / "banking77" / f"{part}.csv", "text", "category") for part in ("train", "test"))
    yield from _intents("banking77", (*train, *test), 0.912)


def clinc150() -> Iterator[Claim]:
    """Its own split, with what belongs to no intent."""
    told = json.loads((DATA / "clinc150" / "data_full.json").read_text())
    train, test = ([list(each) for each in zip(*told[part], strict=True)] for part in ("train", "test"))
    strange = [text for text, _ in told["oos_test"]]
    yield from _intents("clinc150", (*train, test[0] + strange, test[1] + ["oos"] * len(strange)), 0.928)


def _intents(name: str, split: Split, reference: float) -> Iterator[Claim]:
    from ml.signals.classifier import fit_classifier

    texts, labels, asked, truth = split
    model = fit_classifier(texts, labels)
    found, sure = model.predict(asked)
    is_known = np.isin(truth, model.head.classes)
    is_right = found == np.array(truth)
    size = f"{len(texts)} texts, {len(model.head.classes)} intents, {is_known.sum()} asked, load {os.getloadavg()[0]:.1f}"
    accuracy = float(is_right[is_known].mean())
    yield Claim(f"{name}: accuracy in scope", accuracy, "share", "tf-idf + linear SVM", reference, 1.0, size, is_floor=True)
    own = ece(sure[is_known], is_right[is_known])
    yield Claim(f"{name}: ECE in scope", own, "share", "aim", 0.05, 1.0, size)
    reference = "95 % of what chance gives if every confidence is right"
    yield Claim(f"{name}: ECE in scope beside chance", own, "share", reference, by_chance(sure[is_known]), 1.0, size)
    if not is_known.all():
        recall = float((sure[~is_known] < 0.5).mean())
        lost = float((sure[is_known] < 0.5).mean())
        yield Claim(f"{name}: out of scope told below 0.5", recall, "share", "in scope told so", lost, 1.0, size, is_floor=True)


def ece(sure: Any, is_right: Any, bins: int = 10) -> float:
    """Expected calibration error, equal widths (Guo et al. 2017, equation 3)."""
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return float(
        sum((place == each).mean() * abs(sure[place == each].mean() - is_right[place == each].mean()) for each in np.unique(place))
    )


def by_chance(sure: Any) -> float:
    """The 95th percentile of `ece` where each confidence is exactly right: with few texts it is far from 0 (0.07 of 231)."""
    rng = np.random.default_rng(0)
    return float(np.quantile([ece(sure, rng.random(len(sure)) < sure) for _ in range(1000)], 0.95))


def persuasion() -> Iterator[Claim]:
    """Strategies of the persuader, five folds."""
    yield from _persuasion.claims(DATA / "persuasion_for_good" / "300_dialog.xlsx")


def speed() -> Iterator[Claim]:
    """All signals of a message, by the processor time of one core."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    from ml.signals.lexicon import table
    from ml.signals.model import fit_models
    from ml.signals.reader import Message, read_messages
    from ml.signals.tables import INBOUND_TABLE, variants

    rows = [(text, row["intent"]) for row in table(INBOUND_TABLE) for text in variants(row["text"])]
    texts = [f"{text}, budget 40-50k hai, next week" if place % 3 == 0 else text for place, (text, _) in enumerate(rows * 4)]
    models, at = fit_models(), datetime(2026, 3, 4, tzinfo=UTC)
    messages = [Message(text, at, place % 4 > 0) for place, text in enumerate(texts)]
    read_messages(models, messages[:500])

    def seconds(work: Any) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    def all_read() -> None:
        for start in range(0, len(messages), 1_000):
            read_messages(models, messages[start : start + 1_000])

    own = min(seconds(all_read) for _ in range(3))
    size = f"{len(texts)} messages of {np.mean([len(text) for text in texts]):.0f} characters, load {os.getloadavg()[0]:.1f}"
    yield Claim("signals a second of one core", len(texts) / own, "1/s", "limit", 2_000, 1.0, size, is_floor=True)
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    machine = LinearSVC().fit(vectorizer.fit_transform([text for text, _ in rows]), [label for _, label in rows])
    peer = min(seconds(lambda: machine.predict(vectorizer.transform(texts))) for _ in range(3))
    yield Claim("all signals against one plain classifier", own, "s", "tf-idf of letters + LinearSVC", peer, 5.0, size)


def _rows(path: Path, text: str, label: str) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]
