"""One classifier of short texts: tf-idf of words and letters, a linear support vector machine, probabilities that mean what they say.

Here belongs fitting and applying it, to whatever classes a table names: the shipped ones (`model`) and any tenant's. Not here: the tables,
storage (`artefact`).

Probabilities: margins are scaled by how much of the message is known (words never seen carry weight too, or a message of which one word is
known would look certain), then by a temperature, and the top one by Platt's two numbers; all three from margins of texts that were left
out. Without the first, real traffic of three bots (hint3) was said to be right 0.08 to 0.15 more often than it was, and a third less of
what belongs to no class was told by its confidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_softmax, softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from ml.signals.words import fold, latin

Array = npt.NDArray[np.float64]

_LETTERS = 60_000
"""Most sequences of letters that are kept: all of a table of 10,000 short texts are 43,000 to 50,000."""

NONE = "none"
"""The class of texts that say nothing of the kind."""

_FOLDS = 5
_MANY = 3_000
"""Texts above which one fifth that is left out tells enough: 9,000 texts of 64 classes took 79 s by five fits, 20 s by one."""

_ALIKE = 0.6
"""Cosine from which on two texts are paraphrases."""

_LEAST_COVER = 0.05
_C = 0.5


class TooFewError(ValueError):
    """A table that no classifier can be fitted to."""


class Features:
    """Sparse features of texts, and how much of each text is known."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, lowercase=False, token_pattern=r"(?u)\b\w+\b")  # noqa: S106 — tokens of a text
        self.letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, lowercase=False, max_features=_LETTERS, dtype=np.float32
        )

    def __getstate__(self) -> dict[str, Any]:
        """Terms as one text each: skops took 24 s to write 40,000 of them one by one, and 9 s to read them."""
        return {name: _terms(getattr(self, name)) for name in ("words", "letters")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """From that."""
        self.__init__()  # type: ignore[misc]  # the usual settings
        for name, (terms, weights) in state.items():
            vectorizer = getattr(self, name)
            vectorizer.vocabulary_ = {term: place for place, term in enumerate(terms.split("\n"))}
            vectorizer.idf_ = weights

    def fit(self, texts: Sequence[str]) -> Any:
        """Learn the vocabulary of plain texts; returns their features as `of` gives them."""
        return sparse.hstack([self.words.fit_transform(texts), self.letters.fit_transform(texts)], format="csr")

    def of(self, texts: Sequence[str]) -> tuple[Any, Array]:
        """A sparse matrix (texts, features), and the known share of each text in (0, 1]."""
        return sparse.hstack([self.words.transform(texts), self.letters.transform(texts)], format="csr"), self._cover(texts)

    def _cover(self, texts: Sequence[str]) -> Array:
        """Root of the share of squared idf weight that known words have."""
        vocabulary, weights = self.words.vocabulary_, self.words.idf_**2
        unknown = float(weights.max())
        tokenize = self.words.build_tokenizer()
        covers = np.empty(len(texts))
        for place, text in enumerate(texts):
            words = set(tokenize(text))
            known = sum(weights[vocabulary[word]] for word in words if word in vocabulary)
            missing = unknown * sum(word not in vocabulary for word in words)
            covers[place] = max(known / (known + missing), _LEAST_COVER**2) if words else _LEAST_COVER**2
        return np.sqrt(covers)


def _terms(vectorizer: TfidfVectorizer) -> tuple[str, Any]:
    """Its terms in the order of its columns, and their weights."""
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    return "\n".join(terms), vectorizer.idf_


class Calibration(NamedTuple):
    """What turns margins into probabilities: a temperature, and Platt's two numbers for the log-odds of the top one."""

    temperature: float
    slope: float = 1.0
    shift: float = 0.0


@dataclass(eq=False)
class Head:
    """One question to the features: classes (c,), weights (features, c), intercept (c,), and the calibration."""

    classes: npt.NDArray[Any]
    weights: npt.NDArray[np.float32]
    intercept: Array
    calibration: "Calibration"

    def margins(self, features: Any, cover: Array) -> Array:
        """(texts, c)."""
        return _margins(features, cover, self.weights, self.intercept, self.classes)

    def probabilities(self, margins: Array) -> Array:
        """(texts, c), rows sum to 1."""
        soft = softmax(margins * self.calibration.temperature, axis=1)
        top = soft.argmax(axis=1)
        rows = np.arange(len(soft))
        best = soft[rows, top]
        sure = expit(self.calibration.slope * _log_odds(best) + self.calibration.shift)
        sure = np.maximum(sure, 1 / len(self.classes))  # the top one stays the top one
        scaled = soft * ((1 - sure) / np.maximum(1 - best, 1e-12))[:, None]
        scaled[rows, top] = sure
        return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def _log_odds(probability: Array) -> Array:
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


class TextClassifier:
    """Features and one head: what a table of texts and labels teaches."""

    def __init__(self, features: Features, head: Head) -> None:
        """Take what was fitted (`fit_classifier`)."""
        self.features, self.head = features, head

    def probabilities(self, texts: Sequence[str]) -> Array:
        """(texts, classes), in the order of `head.classes`."""
        found, cover = self.features.of([plain(text) for text in texts])
        return self.head.probabilities(self.head.margins(found, cover))

    def predict(self, texts: Sequence[str]) -> tuple[npt.NDArray[Any], Array]:
        """The most probable class of each text, and its probability."""
        chances = self.probabilities(texts)
        return self.head.classes[chances.argmax(axis=1)], chances.max(axis=1)


def plain(text: str) -> str:
    """The text as features see it: folded, in Latin letters."""
    return latin(fold(text))


def fit_classifier(texts: Sequence[str], labels: Sequence[str], groups: Sequence[int] | None = None) -> TextClassifier:
    """Fit features and a head, and calibrate it on texts that were left out; the same input gives the same classifier.

    Args:
        texts: (n,).
        labels: (n,), at least two classes.
        groups: (n,), texts of one source, which are left out together; without them, of up to 3,000 texts those that paraphrase one
            another are of one source, and of more each is alone.

    Raises:
        TooFewError: fewer than two classes, or fewer texts than folds.

    >>> teach = ["buy now", "pay today", "send link to pay", "how to buy", "order lost", "item broken", "not working", "order late"]
    >>> model = fit_classifier(teach, ["sale"] * 4 + ["help"] * 4)
    >>> str(model.predict(["i want to pay"])[0][0])
    'sale'
    """
    folded = [plain(text) for text in texts]
    features, heads, _ = fit_heads(folded, {"label": list(labels)}, groups)
    return TextClassifier(features, heads["label"])


def fit_heads(
    texts: Sequence[str],
    tasks: dict[str, list[str]],
    groups: Sequence[int] | None = None,
    known: Mapping[str, Calibration] | None = None,
) -> tuple[Features, dict[str, Head], dict[str, Array]]:
    """Features of plain texts, a calibrated head a task, and of each the probabilities (n, classes) of texts that were left out.

    Of up to 3,000 all are left out once. With calibrations that are known nothing is left out, and there are no such probabilities.
    """
    own = np.arange(len(texts)) if groups is None else np.asarray(groups)
    for name, labels in tasks.items():
        if len(set(labels)) < 2 or len(np.unique(own)) < _FOLDS:
            counted = f"{len(texts)} texts of {len(np.unique(own))} sources and {len(set(labels))} classes"
            raise TooFewError(f"{name}: {counted}; at least {_FOLDS} sources and 2 classes are needed")
    features = Features()
    found = features.fit(texts)
    if groups is None and len(texts) <= _MANY:
        own = _paraphrases(found)
    targets = {name: np.unique(np.asarray(labels), return_inverse=True) for name, labels in tasks.items()}
    left_out = {name: np.full((len(texts), len(classes)), -1.0) for name, (classes, _) in targets.items()}
    cover = np.ones(len(texts))
    if known is not None:
        return features, {name: _head(found, *targets[name], known[name]) for name in tasks}, {}
    asked = np.zeros(len(texts), dtype=bool)
    for train, test in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(texts, groups=own):
        if len(texts) > _MANY and asked.any():
            break
        asked[test] = True
        part = Features()
        seen = part.fit([texts[place] for place in train])
        unseen, cover[test] = part.of([texts[place] for place in test])
        for name, (_, target) in targets.items():
            present = np.unique(target[train])
            if len(present) > 1:
                weights, intercept = _separate(seen, target[train])
                left_out[name][np.ix_(test, present)] = _margins(unseen, cover[test], weights, intercept, targets[name][0])
    heads, chances = {}, {}
    for name, (classes, target) in targets.items():
        calibration = _calibrated(left_out[name][asked], target[asked])
        heads[name] = _head(found, classes, target, calibration)
        chances[name] = heads[name].probabilities(left_out[name])
    return features, heads, chances


def _paraphrases(features: Any) -> npt.NDArray[np.intp]:
    """Groups of texts that are linked by `_ALIKE` and more of what they say; each alone where that would link a fifth of all.

    A table of a few hundred texts is written and not sampled: to leave out one wording of a question and keep the next promises what
    traffic does not hold. On hint3's three bots 85, 88 and 83 % were right so, 81, 77 and 73 % with groups, 84, 76 and 62 % in traffic.
    """
    alike = (features @ features.T).tocsr()
    alike.data = alike.data >= 2 * _ALIKE  # words and letters each have length 1
    alike.eliminate_zeros()
    groups = np.asarray(connected_components(alike, directed=False)[1])
    counts = np.bincount(groups)
    return groups if counts.max() * _FOLDS <= len(groups) and len(counts) >= _FOLDS else np.arange(len(groups))


def _head(features: Any, classes: npt.NDArray[Any], target: npt.NDArray[np.intp], calibration: Calibration) -> Head:
    weights, intercept = _separate(features, target)
    return Head(classes, weights.astype(np.float32), intercept, calibration)


def _separate(features: Any, target: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """Weights (features, classes) and intercepts of one machine a class."""
    machine = LinearSVC(C=_C, random_state=0).fit(features, target)
    weights, intercept = machine.coef_.T, machine.intercept_
    if weights.shape[1] == 1:
        weights, intercept = np.hstack([-weights, weights]), np.array([-intercept[0], intercept[0]])
    return weights, intercept


def _margins(features: Any, cover: Array, weights: Any, intercept: Array, classes: npt.NDArray[Any]) -> Array:
    """What is not known speaks for no class; where one class is that nothing is said, a text without a known word belongs there."""
    said = np.asarray(features @ weights, dtype=float)
    return said * cover[:, None] + intercept if NONE in classes else (said + intercept) * cover[:, None]


def _calibrated(margins: Array, target: npt.NDArray[np.intp]) -> Calibration:
    rows = np.arange(len(target))

    def surprise(log_temperature: float) -> float:
        return float(-log_softmax(margins * np.exp(log_temperature), axis=1)[rows, target].mean())

    temperature = float(np.exp(minimize_scalar(surprise, bounds=(-2, 4), method="bounded").x))
    soft = softmax(margins * temperature, axis=1)
    is_right = soft.argmax(axis=1) == target
    if 0 < is_right.sum() < len(is_right):
        fitted = LogisticRegression(C=10).fit(_log_odds(soft.max(axis=1))[:, None], is_right)
        if fitted.coef_[0, 0] > 0:
            return Calibration(temperature, float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))
    return Calibration(temperature)
