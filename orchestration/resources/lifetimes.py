"""How long actions stay worth doing, for those that no mart wants: the seed `action_lifetimes`, read.

Here belongs that one look-up. Not here: the actions of marts, which their models date.
"""

import csv
from datetime import datetime, timedelta

from assets.project import PROJECT

_LIFETIMES = PROJECT / "seeds" / "action_lifetimes.csv"


def lifetime(rule: str, moment: datetime) -> timedelta:
    """That of a rule at a moment.

    Raises:
        LookupError: the seed has no row of the rule that is valid then.
    """
    with _LIFETIMES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            begin, end = (datetime.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_to"))
            if row["rule"] == rule and begin is not None and begin <= moment and (end is None or moment < end):
                return timedelta(seconds=int(row["seconds"]))
    message = f"{_LIFETIMES}: no row of the rule {rule} is valid at {moment.isoformat()}"
    raise LookupError(message)
