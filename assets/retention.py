"""How long raw bodies are kept: removing those of the quarantine and of taken-in segments that are too old.

Here belongs the order and what is told of it. Not here: how long (the tenants' policies, a setting), the daily schedule.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from core.holding import Removed
from core.ports import Inbox, Ledger
from core.quarantine import Quarantine


class Retention(Protocol):
    """Tenants' own rules on what is kept how long, and legal holds."""

    def is_any_held(self) -> bool:
        """Whether any legal hold is in force: raw segments are of all tenants, so then all of them are kept."""
        ...

    def apply(self, as_of: datetime) -> Mapping[str, int]:
        """Remove what the rules no longer keep; how much, by tenant and what is kept."""
        ...


def remove_old(quarantine: Quarantine, inbox: Inbox, ledger: Ledger, as_of: datetime, rules: Retention | None = None) -> dict[str, Any]:
    """Remove bodies and words, never a row or a count; returns what was removed."""
    expired = quarantine.expire(as_of)
    removed = Removed(0, 0, 0) if rules is not None and rules.is_any_held() else inbox.expire(as_of, ledger.taken_in)
    return {
        "as_of": as_of.isoformat(),
        "quarantine": [{"tenant": tenant, "reason": reason, "entries": number} for (tenant, reason), number in expired.items()],
        "done_segments": removed._asdict(),
        "rules": dict(rules.apply(as_of)) if rules is not None else {},
    }
