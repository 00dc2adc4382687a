"""The gate before every send: may this action go out at this moment, and if not, why, and what would let it.

Here belong the rules, over facts that come in, and what `is_wanted`, windows, limits and suspensions mean for a send. Not here: where the
facts are read (`orchestration.resources.standing`), how fast an account may go (`core.lanes`).
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from core.actions import PERSONAL_KINDS, Action, Outcome
from core.business_time import Calendar, intervals, parse_shift

WINDOWED = frozenset({"whatsapp", "messenger", "instagram"})
"""Channels that let us write freely only for a time after the person has written."""

OWN_KINDS = frozenset({"send_template", "send_text", "send_booking", "send_payment_link"})
"""What we ourselves send to a person; the operating system minds the windows of what it sends for us."""

HUMAN_AGENT = "HUMAN_AGENT"
"""Meta's tag of what a person wrote, within 7 days of the lead's last message."""

PORTFOLIO_RELEASE = "one of them was last written to 24 hours ago"
DAY = timedelta(days=1)


class Suspension(NamedTuple):
    """A vendor stopped an account, or a template of it, in [`since_at`, `until_at`); without an end, until the vendor takes it back."""

    scope: str
    subject: str | None
    reason: str
    since_at: datetime
    until_at: datetime | None = None


class Limits(NamedTuple):
    """A tenant's limits at the moment; the fields are those of `core.tenancy_sending.Sending`."""

    timezone: str = "UTC"
    quiet_hours: str | None = None
    quiet_exempt: frozenset[str] = frozenset()
    portfolio_users: int | None = None
    contact_gap_seconds: int = 6
    contact_per_day: int | None = None
    least_tokens: int = 0


class Standing(NamedTuple):
    """What the newest published marts and the outbox say at the moment of sending.

    `is_wanted`: the request still stands (a reply ends a recovery). `expires_at`: until when it does; a leak that was closed since the
    action was put in the outbox ends earlier than it was to. `point_id`: whom to write to, another than the action's where a number was
    changed. `window_until`, `human_until`: the ends of the open or last windows. `balance_tokens` is absent without a wallet.
    `last_sent_at` to the same person; `day_frees_at` is when one more may go within the day's limit, `users_free_at` the same of the
    portfolio's: both absent where there is room now. `open_channels` are the others that the lead can be answered on now; they are
    looked for only where something is suspended.
    """

    is_wanted: bool
    is_opted_out: bool
    is_erased: bool
    is_point_held: bool
    expires_at: datetime | None = None
    point_id: str | None = None
    window_until: datetime | None = None
    human_until: datetime | None = None
    suspensions: tuple[Suspension, ...] = ()
    balance_tokens: int | None = None
    last_sent_at: datetime | None = None
    day_frees_at: datetime | None = None
    users_free_at: datetime | None = None
    limits: Limits = Limits()
    open_channels: tuple[str, ...] = ()


def may_send(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    """Why the action must not be sent at this moment, or None where it may.

    An action ends at its `expires_at` or at that of the newest marts, whichever comes first, and the end itself is too late. A lead that
    opted out, was erased or gave up its number is never written to; a request that the marts no longer make (the lead has answered, or
    late events took its reason away) is dropped, whoever it was meant for. All else that forbids a send to a lead passes, so the action is
    held until then; where that is known to be after its end, it expires at once.

    Returns:
        An outcome `expired` or `cancelled` with its reason, `held` with its release besides, or None.
    """
    end = min(action.expires_at, standing.expires_at or action.expires_at)
    if now >= end:
        return Outcome("expired", "its time is over")
    is_personal = action.kind in PERSONAL_KINDS
    refusals = (
        (is_personal and standing.is_erased, "the lead was erased"),
        (is_personal and standing.is_opted_out, "the lead opted out"),
        (is_personal and not standing.is_point_held, "the lead no longer holds this contact point"),
        (not standing.is_wanted, "the request no longer stands: the lead has answered, or its reason is gone"),
    )
    for is_refused, reason in refusals:
        if is_refused:
            return Outcome("cancelled", reason)
    if not is_personal:
        return None
    held = next((found for rule in HOLDS if (found := rule(action, standing, now)) is not None), None)
    if held is not None and held.not_before is not None and held.not_before >= end:
        return Outcome("expired", f"its time is over before it may be sent: {held.reason}")
    return held


def tag_of(action: Action, standing: Standing, now: datetime) -> str | None:
    """The tag without which Messenger and Instagram refuse what a person wrote after the first 24 hours."""
    is_late = standing.window_until is None or now >= standing.window_until
    return HUMAN_AGENT if is_late and _is_of_a_person(action) and action.channel in WINDOWED - {"whatsapp"} else None


def is_template(action: Action) -> bool:
    """Whether it is an approved template, which needs no window; only WhatsApp has them."""
    return action.kind == "send_template" and action.channel == "whatsapp"


def _is_of_a_person(action: Action) -> bool:
    return bool(json.loads(action.details).get("author_type") == "human")


def suspended_by(action: Action, standing: Standing, now: datetime) -> Suspension | None:
    """The suspension that stops an action at a moment."""
    for each in standing.suspensions:
        is_meant = each.scope != "template" or (is_template(action) and each.subject == action.template_name)
        if is_meant and each.since_at <= now and (each.until_at is None or now < each.until_at):
            return each
    return None


def _suspension(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    found = suspended_by(action, standing, now)
    if found is None:
        return None
    what = f"template {found.subject}" if found.scope == "template" else "account"
    return Outcome("held", f"the {what} is suspended: {found.reason}", release=f"the {what} is reinstated", not_before=found.until_at)


def _window(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    if action.channel not in WINDOWED or action.kind not in OWN_KINDS or is_template(action):
        return None
    ends = [standing.window_until] + ([standing.human_until] if _is_of_a_person(action) and action.channel != "whatsapp" else [])
    if any(end is not None and now < end for end in ends):
        return None
    return Outcome("held", "the messaging window is closed", release="the lead writes again")


def _wallet(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    if standing.balance_tokens is None or standing.balance_tokens > standing.limits.least_tokens:
        return None
    return Outcome("held", f"the wallet holds {standing.balance_tokens} tokens", release="the wallet is topped up")


def _quiet(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    limits = standing.limits
    if limits.quiet_hours is None or action.rule in limits.quiet_exempt:
        return None
    until = quiet_until(limits.quiet_hours, limits.timezone, now)
    return None if until is None else Outcome("held", "quiet hours", release="quiet hours end", not_before=until)


def _portfolio(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    is_answer = standing.window_until is not None and now < standing.window_until
    if not is_template(action) or is_answer or standing.users_free_at is None or standing.users_free_at <= now:
        return None
    reason = f"{standing.limits.portfolio_users} people were written to in the last 24 hours, the portfolio's limit"
    return Outcome("held", reason, release=PORTFOLIO_RELEASE, not_before=standing.users_free_at)


def _per_day(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    if standing.day_frees_at is None or standing.day_frees_at <= now:
        return None
    reason = f"{standing.limits.contact_per_day} messages went to this person in 24 hours"
    return Outcome("held", reason, release="the first of them is 24 hours old", not_before=standing.day_frees_at)


def _gap(action: Action, standing: Standing, now: datetime) -> Outcome | None:
    if standing.last_sent_at is None:
        return None
    free_at = standing.last_sent_at + timedelta(seconds=standing.limits.contact_gap_seconds)
    if now >= free_at:
        return None
    return Outcome("held", "another message went to this person just now", release="the gap between two messages", not_before=free_at)


Rule = Callable[[Action, Standing, datetime], Outcome | None]

HOLDS: tuple[Rule, ...] = (_suspension, _window, _wallet, _quiet, _portfolio, _per_day, _gap)
"""What holds a send to a lead, the first that applies; each passes by itself."""


def quiet_until(hours: str, timezone: str, now: datetime) -> datetime | None:
    """The end of the quiet hours that `now` is in, or None; half-open and by the wall clock, also where clocks change.

    >>> str(quiet_until("21:00-09:00", "Asia/Kolkata", datetime(2026, 3, 2, 15, 30, tzinfo=UTC)))
    '2026-03-03 03:30:00+00:00'
    >>> quiet_until("21:00-09:00", "Asia/Kolkata", datetime(2026, 3, 3, 3, 30, tzinfo=UTC)) is None
    True
    """
    for opened_at, closed_at in _quiet_stretches(hours, timezone, now.date().toordinal()):
        if opened_at <= now < closed_at:
            return closed_at
    return None


@lru_cache(maxsize=1024)
def _quiet_stretches(hours: str, timezone: str, day: int) -> tuple[tuple[datetime, datetime], ...]:
    week = ((parse_shift(hours),),) * 7
    calendar = Calendar(calendar_id="quiet", timezone=timezone, week=week, valid_from=datetime(1970, 1, 1, tzinfo=UTC))
    found = intervals("", [calendar], date.fromordinal(day - 2), date.fromordinal(day + 3))
    return tuple((each.opened_at, each.closed_at) for each in found)
