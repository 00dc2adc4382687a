"""How long raw bodies are kept: removing those of the quarantine and of taken-in segments that are too old.

Here belongs the order and what is told of it. Not here: how long (the tenants' policies, a setting), the daily schedule.
"""

from datetime import datetime
from typing import Any

from core.ports import Inbox, Ledger
from core.quarantine import Quarantine


def remove_old(quarantine: Quarantine, inbox: Inbox, ledger: Ledger, as_of: datetime) -> dict[str, Any]:
    """Remove bodies, never a row or a count; returns what was removed."""
    expired = quarantine.expire(as_of)
    removed = inbox.expire(as_of, ledger.taken_in)
    return {
        "as_of": as_of.isoformat(),
        "quarantine": [{"tenant": tenant, "reason": reason, "entries": number} for (tenant, reason), number in expired.items()],
        "done_segments": removed._asdict(),
    }
