"""Actions: what the platform wants done outside, when it may still be done, and what can become of it.

Here belong an action's identity, the gate before every send and the outcomes of one try. Not here: which actions are wanted (the marts),
how they are kept (`core.ports.Outbox`) or sent (`core.ports.Sender`).
"""

import hashlib
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

State = Literal["requested", "claimed", "sent", "rejected", "unknown", "held", "expired", "cancelled"]


def key_of(*parts: str | None) -> str:
    """A key of ordered parts: SHA-256, in hex, of each part with its length before it, so that no two lists share one.

    The same as the dbt macro `key_of`.

    >>> key_of("a-b", "c") == key_of("a", "b-c")
    False
    >>> key_of("cold_recovery", None)[:12]
    'ccf1ca0c953f'
    """
    joined = "".join("-" if part is None else f"{len(part.encode())}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()


class Action(NamedTuple):
    """One wanted effect: a row of the mart `act_requests`. `details` is JSON text without personal data."""

    action_id: str
    tenant_id: str
    rule: str
    kind: str
    channel: str
    lead_id: str | None
    point_id: str | None
    account_id: str | None
    template_name: str | None
    subject: str
    trigger: str
    details: str
    due_at: datetime
    expires_at: datetime


class Delivery(NamedTuple):
    """An action that a worker holds: `fence` rises with every claim, so a worker that lost its lease cannot record."""

    action: Action
    attempt: int
    fence: int


class Standing(NamedTuple):
    """What the newest published marts say at the moment of sending.

    `is_wanted`: the request still stands (a reply ends a recovery). `expires_at`: until when it does; a leak that was closed since the
    action was put in the outbox ends earlier than it was to.
    """

    is_wanted: bool
    is_opted_out: bool
    is_erased: bool
    is_point_held: bool
    expires_at: datetime | None = None


class Outcome(NamedTuple):
    """What became of one try; `requested` means that it surely did not happen and will be tried again.

    `provider_id` is the other side's id of it, in plain: it is never stored; `status_code` its HTTP status.
    """

    state: State
    reason: str
    status_code: int | None = None
    provider_id: str | None = None
    request_sha256: str | None = None
    response_sha256: str | None = None


FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)


def retry_at(attempt: int, now: datetime) -> datetime:
    """When an action that surely did not happen is tried again: after 1, 2, 4 … minutes, at most an hour, until it expires.

    >>> [str(retry_at(attempt, datetime(2026, 1, 1)))[11:16] for attempt in (1, 2, 3, 7, 40)]
    ['00:01', '00:02', '00:04', '01:00', '01:00']
    """
    return now + min(FIRST_RETRY * (1 << min(attempt - 1, 10)), LONGEST_RETRY)


PERSONAL_KINDS = frozenset({"send_template", "send_scheduled", "send_confirmation", "send_reminder", "send_follow_up"})
"""Actions that reach a lead, by ourselves or by the operating system for us; all others reach the tenant's own people or systems."""


def may_send(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    """Why the action must not be sent at this moment, or None where it may.

    An action ends at its `expires_at` or at that of the newest marts, whichever comes first, and the end itself is too late. A lead that
    opted out, was erased or gave up its number is never written to; a request that the marts no longer make (the lead has answered, or
    late events took its reason away) is dropped, whoever it was meant for.

    Returns:
        An outcome `expired` or `cancelled` with its reason, or None.
    """
    if now >= min(action.expires_at, standing.expires_at or action.expires_at):
        return Outcome("expired", "its time is over")
    is_personal = action.kind in PERSONAL_KINDS
    refusals = (
        (is_personal and standing.is_erased, "the lead was erased"),
        (is_personal and standing.is_opted_out, "the lead opted out"),
        (is_personal and not standing.is_point_held, "the lead no longer holds this contact point"),
        (not standing.is_wanted, "the request no longer stands: the lead has answered, or its reason is gone"),
    )
    return next((Outcome("cancelled", reason) for refused, reason in refusals if refused), None)
