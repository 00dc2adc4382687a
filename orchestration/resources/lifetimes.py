"""Dated seeds as Python reads them: how long an action of a rule may be tried, what a model predicts.

Here belongs finding the row that is valid at a moment, for what Python decides; marts join the seeds.
"""

import csv
from collections.abc import Mapping
from datetime import datetime, timedelta

from assets.project import PROJECT


class LifetimeError(LookupError):
    """A seed says nothing of what was asked for at a moment."""


def lifetime(rule: str, moment: datetime) -> timedelta:
    """How long an action of the rule may be tried, by `action_lifetimes`."""
    return timedelta(seconds=int(valid_row("action_lifetimes", {"rule": rule}, moment)["seconds"]))


def valid_row(seed: str, wanted: Mapping[str, str], moment: datetime) -> Mapping[str, str]:
    """The row of a seed that has these values and is valid at the moment.

    Raises:
        LifetimeError: there is none.
    """
    path = PROJECT / "seeds" / f"{seed}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            begin, end = (datetime.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_to"))
            is_meant = all(row[name] == value for name, value in wanted.items())
            if is_meant and begin is not None and begin <= moment and (end is None or moment < end):
                return row
    raise LifetimeError(f"{path}: no row of {', '.join(wanted.values())} is valid at {moment.isoformat()}")
