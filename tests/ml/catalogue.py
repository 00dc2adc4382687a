"""Every kind of metric: how its rows are drawn, its moments made, and a slow plain definition of its estimates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.moments import AnyMoments, Counts, CovariateMoments, Moments, RatioMoments


@dataclass(frozen=True)
class Kind:
    """`draw(rng, n)` gives columns of n units, `make(*columns)` their moments; `scaled` and `shifted` change the unit of the value."""

    name: str
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]
    make: Callable[..., AnyMoments]
    can_scale: bool = True


def _pairs(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    before = rng.gamma(2.0, 3.0, n)
    return 0.8 * before + rng.normal(10, 2, n), before


KINDS = [
    Kind("proportion", lambda rng, n: ((rng.random(n) < 0.3).astype(float),), Counts.from_rows, can_scale=False),
    Kind("mean", lambda rng, n: (rng.gamma(2.0, 5.0, n),), Moments.from_rows),
    Kind("ratio", lambda rng, n: (rng.gamma(2.0, 5.0, n), 1.0 + rng.poisson(2.0, n)), RatioMoments.from_rows),
    Kind("cuped", _pairs, CovariateMoments.from_rows),
]
NAMES = [kind.name for kind in KINDS]


def arms(kind: Kind, seed: int, n: int = 200, m: int = 170) -> tuple[AnyMoments, AnyMoments]:
    """Moments of two arms."""
    rng = np.random.default_rng(seed)
    return kind.make(*kind.draw(rng, n)), kind.make(*kind.draw(rng, m))


def close(one: Any, other: Any, rel: float = 1e-9) -> bool:
    """Two moments of one kind, to a relative tolerance."""
    return all(np.allclose(getattr(one, name), getattr(other, name), rtol=rel, atol=1e-12, equal_nan=True) for name in _fields(one))


def _fields(moments: Any) -> list[str]:
    return list(moments.__dataclass_fields__)
