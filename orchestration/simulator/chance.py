"""The only source of chance in a simulation: generators named by what they are for.

So that a lead's story stays the same when another part of the simulation draws more numbers. Not here: distributions.
"""

from random import Random


def chance(seed: int, *purpose: object) -> Random:
    """A generator that depends on the seed and the purpose alone.

    >>> chance(7, "lead", 1).random() == chance(7, "lead", 1).random()
    True
    """
    return Random(":".join(map(str, (seed, *purpose))))  # noqa: S311 — chance that must repeat, not a secret


def happens(rng: Random, share: float) -> bool:
    """Whether something happens this time that happens in `share` of all cases."""
    return rng.random() < share
