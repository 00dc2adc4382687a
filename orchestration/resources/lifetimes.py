"""How long an action of a rule may be tried: the dated seed `action_lifetimes` says it.

Here belongs reading it, for actions that Python asks for; those of the marts join the seed.
"""

import csv
from datetime import datetime, timedelta

from assets.project import PROJECT

_SEED = PROJECT / "seeds" / "action_lifetimes.csv"


class LifetimeError(Exception):
    """The seed says nothing of a rule at a moment."""


def lifetime(rule: str, moment: datetime) -> timedelta:
    """That of the row which is valid at the moment."""
    with _SEED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            begin, end = (datetime.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_to"))
            if row["rule"] == rule and begin is not None and begin <= moment and (end is None or moment < end):
                return timedelta(seconds=int(row["seconds"]))
    raise LifetimeError(f"{_SEED}: no row of the rule {rule} is valid at {moment.isoformat()}")
