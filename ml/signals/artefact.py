"""Fitted models as bytes and back, by skops: no pickle, only types of a list, and only bytes that are those that were written.

Not here: where the bytes lie and who vouches for their digest (`orchestration.resources.signal_models`).
"""

import hashlib
import hmac

from ml.signals.model import Models

ALLOWED = frozenset(
    {
        "ml.signals.model.Models",
        "ml.signals.classifier.Features",
        "ml.signals.classifier.Head",
        "ml.signals.classifier.Calibration",
        "numpy.dtype",
    }
)
"""Types that a file may hold besides those that skops itself trusts (scikit-learn's, NumPy's, SciPy's, plain values)."""


class ArtefactError(ValueError):
    """Bytes that are not the model that they should be."""


def dumps(models: Models) -> bytes:
    """The models as a skops file."""
    import skops.io  # 0.5 s, and only where models are stored

    data: bytes = skops.io.dumps(models)
    return data


def digest(data: bytes, key: bytes) -> str:
    """HMAC-SHA256 in hex: who has not the key cannot make another file that passes."""
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def loads(data: bytes, key: bytes, expected: str) -> Models:
    """The models of `dumps`.

    Raises:
        ArtefactError: changed since it was written, holds a type that is not on the list, or is no such file. Nothing of it ran then.
    """
    if not hmac.compare_digest(digest(data, key), expected):
        raise ArtefactError("its bytes are not those that were written")
    import skops.io  # as above

    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - ALLOWED)
        if foreign:
            raise ArtefactError(f"it holds {', '.join(foreign[:3])}, which no model of signals has")
        models = skops.io.loads(data, trusted=sorted(ALLOWED))
    except ArtefactError:
        raise
    except Exception as error:
        raise ArtefactError(f"it cannot be read ({type(error).__name__})") from error
    if not isinstance(models, Models):
        raise ArtefactError(f"it holds a {type(models).__name__} and no models of signals")
    return models
