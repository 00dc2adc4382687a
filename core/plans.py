"""What each sensor decides, as pure functions: `plan_x(cursor, observed) -> (what to do, next cursor)`.

Here belongs the choice; reading what is observed and acting on it is the sensor's. Not here: Dagster, databases, the clock.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from core.actions import Action, key_of


class Plan(NamedTuple):
    """What to put in the outbox, and where the next look starts."""

    actions: tuple[Action, ...]
    cursor: str


def plan_requests(cursor: str, observed: Sequence[Action], known: Collection[str], as_of: datetime) -> Plan:
    """Requests that are due and not yet in the outbox, oldest first.

    The cursor is the latest `due_at` that was seen due; it says how far the sensor has looked and never filters: a late row may be due
    before it. What decides is `known`, the ids that the outbox holds, so a crash before the cursor moves costs nothing, and a replay
    asks for nothing twice.
    """
    due = sorted((each for each in observed if each.due_at <= as_of), key=lambda each: (each.due_at, each.action_id))
    wanted = tuple(each for each in due if each.action_id not in known)
    return Plan(wanted, max([cursor, *(each.due_at.isoformat() for each in due)]))


def plan_ingest(cursor: str, pending: Sequence[str]) -> tuple[str | None, str]:
    """Whether closed segments wait: the run key of a run that takes in all of them, and the next cursor.

    One run works on everything pending, so what a tick saw names the run but does not limit it. The cursor is the last set asked for:
    the same unfinished set asks once, any other set asks again, and so does the same after a tick that saw none. A key tells how many
    names there are and their hash, not the names: whoever drops a file chooses its name, and it may hold a person's number.

    >>> plan_ingest("", ["a.ndjson"])
    ('1:061a3fa26cce', '1:061a3fa26cce')
    """
    if not pending:
        return None, ""
    key = f"{len(pending)}:{key_of(*sorted(pending))[:12]}"
    return (None if key == cursor else key), key
