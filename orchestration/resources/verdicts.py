"""The journal of kills of experiments and of their ends, read.

Here belongs that one query, which the reference export needs too. Not here: adding to it (`experiments`).
"""

from datetime import datetime

from core.experiments import Verdict
from orchestration.resources.state import State

_FIELDS = "tenant_id, experiment_id, follows, verdict, decided_at, decided_by, cause, reason, evidence::text, action_id, number"


def verdicts(state: State, as_of: datetime | None) -> list[Verdict]:
    """Every verdict up to a moment, or all of them, in their order."""
    select = f"select {_FIELDS} from ops.experiment_verdicts where %s::timestamptz is null or decided_at <= %s order by number"
    with state.psycopg() as connection:
        return [Verdict._make(row) for row in connection.execute(select, (as_of, as_of))]
