"""`flexoraa actions`: what became of actions, and what people decide on them.

Here belongs finding which action is meant and refusing what makes no sense or is not allowed. Not here: the command line (`actions_cli`),
the state changes (`orchestration.resources.action_desk`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.notices import digest_days
from orchestration.resources.action_desk import CHANGES, ActionDesk, Mode, Who
from orchestration.resources.clock import SystemClock
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.notices import PostgresNotices
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault

_LEAST_DIGITS = 6
LONGEST_REASON = 2_000
_DECIDES = frozenset({"operator", "manager", "admin"})
_RESUMES = frozenset({"manager", "admin"})
"""Whoever works may stop something; to let it go on takes a manager, as with experiments."""

_WHY_NOT = {
    "claimed": "a worker is trying it at this moment: look again when that has ended",
    "sent": "it was sent",
    "expired": "its time is over, so nothing could be sent",
    "unknown": "nobody knows whether it arrived: look on the other side, then `flexoraa actions resolve` it as sent or not-sent",
    "rejected": "it has ended already: `flexoraa actions retry` tries it again",
    "cancelled": "it has ended already: `flexoraa actions retry` tries it again",
    "requested": "it waits to be sent, so there is nothing to settle",
    "held": "it waits to be released, so there is nothing to settle",
}


class ActionError(Exception):
    """What was asked for makes no sense or is not allowed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Office:
    """The outbox at a moment, opened for questions and decisions."""

    desk: ActionDesk
    identity: PostgresIdentity
    notices: PostgresNotices
    as_of: datetime

    def show(self, token: str) -> dict[str, Any]:
        """All that is known of one action: its row, every try, every decision."""
        action = self._meant(token)
        action_id = action["action_id"]
        return {"action": action, "attempts": self.desk.attempts(action_id), "decisions": self.desk.decisions(action_id)}

    def decide(self, token: str, verdict: str, by: str, reason: str) -> dict[str, Any]:
        """Retry, cancel or settle one action.

        Raises:
            ActionError: no or several actions are meant, the person may not, or the action is in a state in which it cannot be done.
        """
        action = self._meant(token)
        who = self._who(action["tenant_id"], by, reason, _DECIDES)
        if action["state"] == "held" and action["held_by_pause"] is not None and verdict == "retried":
            message = f"{action['kind']} of {action['tenant_id']} is paused: `flexoraa actions resume` lets all that it holds go on"
            raise ActionError(message)
        if verdict == "retried" and action["expires_at"] <= self.as_of:
            raise ActionError(f"its time was over at {action['expires_at'].isoformat()}: nothing could be sent any more")
        before = self.desk.decide(action["action_id"], verdict, who)
        if before is None:
            state = self._meant(action["action_id"])["state"]
            raise ActionError(f"{action['action_id'][:12]} is {state}: {_WHY_NOT[state]}")
        return {
            "action_id": action["action_id"],
            "tenant_id": action["tenant_id"],
            "before": before,
            "state": CHANGES[verdict].after,
        }

    def pause(self, tenant: str, kind: str | None, mode: Mode, by: str, reason: str) -> dict[str, Any]:
        """Stop sending a tenant's actions of a kind, or of every kind; or keep deciding and send nothing.

        Raises:
            ActionError: there is no such tenant or person, the person may not, or something of the kind stands already.
        """
        who = self._who(self._tenant(tenant), by, reason, _DECIDES)
        if not self.desk.pause(tenant, kind or "", mode, who):
            [standing] = [each for each in self.desk.pauses(tenant) if each["kind"] == (kind or "")]
            raise ActionError(
                f"{standing['mode']} since {standing['begun_at'].isoformat()} by {standing['begun_by']}: resume it before it is changed"
            )
        held = next(each["held"] for each in self.desk.pauses(tenant) if each["kind"] == (kind or ""))
        return {"tenant_id": tenant, "kind": kind, "mode": mode, "held": held}

    def resume(self, tenant: str, kind: str | None, by: str, reason: str) -> dict[str, Any]:
        """End a pause or a dry run.

        Raises:
            ActionError: as `pause`; or nothing of the kind stands.
        """
        who = self._who(self._tenant(tenant), by, reason, _RESUMES)
        freed = self.desk.resume(tenant, kind or "", who)
        if freed is None:
            standing = ", ".join(each["kind"] or "every kind" for each in self.desk.pauses(tenant)) or "nothing"
            raise ActionError(f"of {tenant} {standing} is paused, not {kind or 'every kind'}")
        return {"tenant_id": tenant, "kind": kind, "mode": "running", "freed": freed}

    def digest(self, tenant: str | None) -> list[dict[str, Any]]:
        """What yesterday's actions came to, a row a tenant that has an address for alerts: as the daily digest tells it."""
        zones = self.notices.zones(self.as_of)
        if tenant is not None:
            self._tenant(tenant)
            if tenant not in zones:
                raise ActionError(f"{tenant} has no destination of kind alerts, so nobody reads a digest")
        wanted = {name: zone for name, zone in zones.items() if tenant in {None, name}}
        days = digest_days(wanted, self.as_of)
        return [{"tenant_id": each.tenant_id, "date": each.day.isoformat(), **self.notices.tally(each)} for each in days]

    def _meant(self, token: str) -> dict[str, Any]:
        if len(token) < _LEAST_DIGITS:
            raise ActionError(f"{token!r} is too short for an action's id: at least its first {_LEAST_DIGITS} digits")
        found: Sequence[dict[str, Any]] = self.desk.meant(token)
        if not found:
            raise ActionError(f"no action's id begins with {token!r}; `flexoraa actions list` shows them")
        if len(found) > 1:
            raise ActionError(f"{token!r} may be {', '.join(each['action_id'][:16] for each in found)}: give more digits")
        return found[0]

    def _tenant(self, tenant: str) -> str:
        known = self.identity.tenants()
        if tenant not in known:
            raise ActionError(f"there is no tenant {tenant!r}; there are: {', '.join(sorted(known)) or 'none at all'}")
        return tenant

    def _who(self, tenant_id: str, by: str, reason: str, roles: frozenset[str]) -> Who:
        if not reason.strip() or len(reason) > LONGEST_REASON:
            raise ActionError(f"a reason has 1 to {LONGEST_REASON} characters: it is what the next person reads")
        people = self.identity.people(tenant_id, self.as_of)
        if by not in people:
            raise ActionError(f"{by!r} is nobody of {tenant_id} at {self.as_of.isoformat()}; the tenants file names its people")
        if people[by] not in roles:
            raise ActionError(f"{by} is {people[by]} of {tenant_id} and may not: ask one who is {' or '.join(sorted(roles))}")
        return Who(by, self.as_of, reason)


@contextmanager
def open_office(settings: Settings) -> Iterator[Office]:
    """The outbox now."""
    with open_state(settings) as state:
        vault = Vault(state, settings.master_key())
        notices = PostgresNotices(state, settings.operations_tenant)
        yield Office(ActionDesk(state, vault), PostgresIdentity(state, vault), notices, SystemClock().now())
