"""Actions: what the platform wants done outside, what can become of it, and when a try is repeated.

Here belong an action's identity, its states and the outcomes of one try. Not here: whether it may be sent (`core.gate`), whose turn it is
(`core.lanes`), which actions are wanted (the marts), how they are kept (`core.action_ports.Outbox`) or sent (`core.action_ports.Sender`).
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

State = Literal["requested", "claimed", "sent", "rejected", "unknown", "held", "expired", "cancelled"]

NEXT: Mapping[State, frozenset[State]] = {
    "requested": frozenset({"claimed", "sent", "cancelled"}),
    "claimed": frozenset({"requested", "sent", "rejected", "unknown", "held", "expired", "cancelled"}),
    "held": frozenset({"requested", "sent", "cancelled"}),
    "unknown": frozenset({"sent", "rejected", "requested", "cancelled"}),
    "rejected": frozenset({"requested", "cancelled"}),
    "sent": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
}
"""What may follow a state. `sent` without a claim: a receipt shows that it was done, as after a backup was restored. From `unknown` and
`rejected` only receipts and people lead on."""


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


class About(NamedTuple):
    """What an action is about that concerns no lead: its rule, subject and trigger, and the tenant whose it is."""

    tenant_id: str
    rule: str
    subject: str
    trigger: str


def telling(
    about: About, kind: str, channel: str, told: Mapping[str, object], due_at: datetime, lifetime: timedelta, action_id: str = ""
) -> Action:
    """The action that tells of something, to no lead and from no account; without an id of its own it has that of what it is about."""
    return Action(
        action_id=action_id or key_of(about.tenant_id, about.rule, about.subject, about.trigger),
        tenant_id=about.tenant_id,
        rule=about.rule,
        kind=kind,
        channel=channel,
        lead_id=None,
        point_id=None,
        account_id=None,
        template_name=None,
        subject=about.subject,
        trigger=about.trigger,
        details=json.dumps(told, sort_keys=True),
        due_at=due_at,
        expires_at=due_at + lifetime,
    )


class Delivery(NamedTuple):
    """An action that a worker holds: `fence` rises with every claim, so a worker that lost its lease cannot record.

    `target` is the one destination that it is for, where several are told. `tag` is what the gate lets it say of itself (HUMAN_AGENT).
    """

    action: Action
    attempt: int
    fence: int
    target: str | None = None
    tag: str | None = None


class Way(NamedTuple):
    """One way out for an action that several could take: its channel and the destination."""

    channel: str
    target: str


class Outcome(NamedTuple):
    """What became of one try; `requested` means that it surely did not happen and will be tried again.

    `provider_id` is the other side's id of it, in plain: it is never stored; `status_code` its HTTP status. A held action waits for
    `release`, in words, and `not_before` where the moment is known; a requested one is not tried before that either.
    `wait_seconds` is what the other side asked of all that goes this way (Retry-After).
    """

    state: State
    reason: str
    status_code: int | None = None
    provider_id: str | None = None
    request_sha256: str | None = None
    response_sha256: str | None = None
    release: str | None = None
    not_before: datetime | None = None
    wait_seconds: float | None = None


FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
JITTER = 0.25
"""At most so much of a wait is added to it, so that what failed together does not come back together."""

REPEATABLE = frozenset({"callback"})
"""Channels whose other side knows a repeat by its key: what may have happened is asked for again instead of being left unknown."""

PERSONAL_KINDS = frozenset(
    {
        "send_template", "send_text", "send_booking", "send_payment_link",
        "send_scheduled", "send_confirmation", "send_reminder", "send_follow_up",
    }
)  # fmt: skip
"""Actions that reach a lead, by ourselves or by the operating system for us; all others reach the tenant's own people or systems."""

COMMANDS = frozenset({"pause", "assign", "reroute", "send_scheduled", "send_confirmation", "send_reminder", "send_follow_up"})
"""What only the operating system can do: it goes to destinations of kind `callback`, though a rule may say `webhook`."""

ANNOUNCED = frozenset({"assign", "reroute"})
"""Commands of which people hear as well, at the destinations of kind `alerts`."""


def retry_at(attempt: int, now: datetime, key: str = "") -> datetime:
    """When an action that surely did not happen is tried again: after 1, 2, 4 … minutes, at most an hour, and up to a quarter more.

    The quarter follows from `key` and attempt alone, so that a replay waits as long.

    >>> [str(retry_at(attempt, datetime(2026, 1, 1)))[11:16] for attempt in (1, 2, 3, 7, 40)]
    ['00:01', '00:02', '00:04', '01:00', '01:00']
    >>> retry_at(1, datetime(2026, 1, 1), "a1") == retry_at(1, datetime(2026, 1, 1), "a1") > retry_at(1, datetime(2026, 1, 1))
    True
    """
    wait = min(FIRST_RETRY * (1 << min(attempt - 1, 10)), LONGEST_RETRY)
    share = int(key_of(key, str(attempt))[:8], 16) / 0xFFFFFFFF if key else 0.0
    return now + wait * (1 + JITTER * share)
