"""A model as bytes and back: skops with a list of the types that are allowed, and a checksum. No pickle.

Here belongs what a file of a model holds and which files are refused. Not here: where it lies (`orchestration.resources.registry`), what
the model does (`ml.lead_scoring`).
"""

import hashlib
import hmac
from typing import Any

import numpy as np

from ml.features import CategoryLevels, Contract, Encoded, Encoder, Feature, NumberScale
from ml.lead_scoring import LeadModel

FORMAT = 1
ALLOWED = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})
"""Types beyond those that skops trusts by itself (scikit-learn's estimators, numpy's arrays) that our trees are made of."""


class ModelFileError(ValueError):
    """Bytes that are not the model that they should be; the message says why."""


def to_bytes(model: LeadModel) -> tuple[bytes, str]:
    """The file of a model, and its SHA-256 in hex."""
    from skops import io

    readers = [[type(each).__name__, *each] for each in model.encoder.readers]
    state = {
        "format": FORMAT,
        "features": [list(each) for each in model.contract.features],
        "readers": [[list(part) if isinstance(part, tuple) else part for part in each] for each in readers],
        "logistic": model.logistic,
        "trees": list(model.trees),
        "scale": float(model.scale),
        "shift": float(model.shift),
        "typical_linear": np.ascontiguousarray(model.typical.linear),
        "typical_raw": np.ascontiguousarray(model.typical.raw),
    }
    data: bytes = io.dumps(state)
    return data, hashlib.sha256(data).hexdigest()


def from_bytes(data: bytes, sha256: str) -> LeadModel:
    """The model of a file.

    Args:
        data: the file.
        sha256: what the registry says of it.

    Raises:
        ModelFileError: it was changed since, holds a type that is not allowed, or is of another format.
    """
    found = hashlib.sha256(data).hexdigest()
    if not hmac.compare_digest(found, sha256):
        raise ModelFileError(f"the file was changed: its SHA-256 is {found[:12]}…, the registry says {sha256[:12]}…. It is not loaded")
    return read(data)


def read(data: bytes) -> LeadModel:
    """The model of bytes that nobody vouches for: only allowed types are made, whatever the bytes ask for.

    Raises:
        ModelFileError: a type that is not allowed, no skops file, or another format.
    """
    from skops import io

    try:
        strange = sorted(set(io.get_untrusted_types(data=data)) - ALLOWED)
    except Exception as error:  # a damaged file may fail anywhere in the reader
        raise ModelFileError(f"that is no file of skops: {error}") from error
    if strange:
        raise ModelFileError(f"the file holds types that are not allowed: {', '.join(strange)}. It is not loaded")
    try:
        return _model(io.loads(data, trusted=sorted(ALLOWED)))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFileError(f"the file is no model of format {FORMAT}: {error}") from error


def _model(state: Any) -> LeadModel:
    if state["format"] != FORMAT:
        raise ValueError(f"it is of format {state['format']}")
    readers = [
        NumberScale(*rest) if kind == "NumberScale" else CategoryLevels(rest[0], tuple(rest[1]), tuple(rest[2]))
        for kind, *rest in state["readers"]
    ]
    return LeadModel(
        Contract(tuple(Feature(*each) for each in state["features"])),
        Encoder(tuple(readers)),
        np.asarray(state["logistic"], dtype=float),
        tuple(state["trees"]),
        float(state["scale"]),
        float(state["shift"]),
        Encoded(np.asarray(state["typical_linear"], dtype=float), np.asarray(state["typical_raw"], dtype=float)),
    )
