"""Ground truth: whether what a model speaks of came true within its horizon, as it is known at a moment.

Here belong labels from events that may come late, twice or contradict each other. Not here: features, fitting.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple


class Word(NamedTuple):
    """What was said of a subject: at a moment, whether it ended well; `event_id` makes two tellings of one word one."""

    event_id: str
    is_won: bool
    at: datetime


class Label(NamedTuple):
    """Whether it was won within the horizon, and when that is known: at the horizon's end, for either outcome alike.

    A yes is often told at once and a no never: to take each when it is told would make the newest rows all yes.
    """

    outcome: bool | None
    known_at: datetime


def history(words: Iterable[tuple[tuple[str, str], Word]]) -> Mapping[tuple[str, str], Sequence[Word]]:
    """Words of each subject in their order, each told once; where two speak at one moment, a won comes last and stands."""
    found: dict[tuple[str, str], dict[str, Word]] = defaultdict(dict)
    for subject, word in words:
        found[subject][word.event_id] = word
    return {subject: sorted(own.values(), key=lambda each: (each.at, each.is_won, each.event_id)) for subject, own in found.items()}


def is_open(words: Sequence[Word], moment: datetime) -> bool:
    """Whether nothing had been said by the moment: a lead that was won or lost is not scored."""
    return not any(each.at <= moment for each in words)


def label(words: Sequence[Word], moment: datetime, horizon: timedelta, as_of: datetime) -> Label:
    """The last word within (`moment`, `moment + horizon`], once the horizon is over by `as_of`; silence is a no.

    >>> start = datetime(2026, 1, 1)
    >>> won = Word("e1", True, start + timedelta(days=30))
    >>> label([won], start, timedelta(days=30), start + timedelta(days=30))
    Label(outcome=True, known_at=datetime.datetime(2026, 1, 31, 0, 0))
    >>> label([won], start, timedelta(days=30), start + timedelta(days=29)).outcome is None
    True
    """
    end = moment + horizon
    if as_of < end:
        return Label(None, end)
    inside = [each for each in words if moment < each.at <= end]
    return Label(bool(inside) and inside[-1].is_won, end)
