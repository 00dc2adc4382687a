"""Requests of people about their own data: what a request may become, who may do it, and when its clock warns.

Here belong states, the rule of four eyes, the 30 days and the actions that warn of them. The database enforces the same rules
(`orchestration/migrations/versions/0017_privacy.py`); here they have words. Not here: where requests are kept, erasing, verifying.
"""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from core.actions import Action, key_of

Kind = Literal["access", "erasure", "rectification"]
State = Literal["requested", "verified", "approved", "denied", "running", "verifying", "closed"]

ALLOWED = timedelta(days=30)
"""How long a request may take, from the moment it was made: the month of the GDPR's article 12 (3), in days so that it can be counted."""

WARN_BEFORE = (timedelta(days=7), timedelta(days=2), timedelta(0))
"""When the tenant is told that a request is still open: so long before its end, and at the end itself."""

WARNED_FOR = timedelta(days=7)
"""How long a warning may be delivered; after that a later one has been made."""

RULE = "privacy_clock"
"""The rule of these actions."""

SUBJECT = "subject"
"""In the place of who asked: the person, by the platform's own feed."""

SYSTEM = "system:dagster"
"""Who executes what people approved where nobody does so by hand."""

MOVES: dict[str, frozenset[tuple[State, State]]] = {
    "verify-identity": frozenset({("requested", "verified"), ("approved", "verified")}),
    "approve": frozenset({("verified", "approved")}),
    "deny": frozenset({("requested", "denied"), ("verified", "denied")}),
    "run": frozenset({("approved", "running"), ("running", "running"), ("verifying", "running")}),
    "verify": frozenset({("running", "verifying")}),
    "close": frozenset({("verifying", "closed")}),
}
"""What each deed does to a state."""

_NEXT = {
    "requested": "verify the identity first: flexoraa gdpr verify-identity",
    "verified": "a manager has to approve or deny it: flexoraa gdpr approve",
    "approved": "it waits to be executed: flexoraa gdpr run",
    "running": "it is being executed, or its process died: flexoraa gdpr run goes on where it stopped",
    "verifying": "its verification found something or was broken off: flexoraa gdpr run goes on",
    "denied": "it is over; a new request may be made",
    "closed": "it is over; flexoraa gdpr certificate shows how it ended",
}


class PrivacyError(Exception):
    """What was asked for is not allowed or makes no sense; the message says why and what to do. `code` names it in the audit log."""

    def __init__(self, code: str, message: str) -> None:
        """`code`: a stable word; `message`: for whoever reads it, without personal data."""
        super().__init__(message)
        self.code = code


class Request(NamedTuple):
    """One request. `point_ids` and `lead_id` are those of the verification, or of the request before it."""

    request_id: str
    tenant_id: str
    kind: Kind
    origin: str
    event_id: str | None
    state: State
    lead_id: str
    point_ids: tuple[str, ...]
    requested_by: str
    requested_at: datetime
    due_at: datetime
    verified_by: str | None = None
    verified_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    is_late: bool = False
    executed_by: str | None = None
    started_at: datetime | None = None
    fence: int = 0
    closed_at: datetime | None = None


def new_request(key: str, tenant_id: str, kind: Kind, person: tuple[str, Collection[str]], by: str, at: datetime) -> Request:
    """A request as it begins; `person` is a lead and its points, `key` what tells this request from every other one.

    >>> from datetime import UTC
    >>> made = new_request("1", "t", "erasure", ("lead_a", ["cp_a"]), "meera", datetime(2026, 3, 1, tzinfo=UTC))
    >>> made.request_id, made.due_at.isoformat()
    ('pr_58fa154f50ce881e', '2026-03-31T00:00:00+00:00')
    """
    lead_id, points = person
    origin = "feed" if by == SUBJECT else "command"
    request_id = f"pr_{key_of('privacy', tenant_id, kind, lead_id, key)[:16]}"
    return Request(request_id, tenant_id, kind, origin, None, "requested", lead_id, tuple(sorted(points)), by, at, at + ALLOWED)


def moved(request: Request, deed: str) -> State:
    """The state that a deed leads to.

    Raises:
        PrivacyError: the request is in no state for it.
    """
    for before, after in MOVES[deed]:
        if before == request.state:
            return after
    raise PrivacyError("wrong_state", f"{request.request_id} is {request.state}, so nobody can {deed} it: {_NEXT[request.state]}")


def check_verifier(request: Request, by: str, role: str | None) -> None:
    """Whether somebody may say that the person is who it claims to be."""
    _check_role(request, by, role, ("operator", "manager", "admin"), "verify an identity")


def check_decider(request: Request, by: str, role: str | None, at: datetime, late_reason: str | None, *, is_approval: bool) -> None:
    """Whether somebody may approve or deny: a manager or an admin, never who asked; after the deadline only with a reason for it."""
    _check_role(request, by, role, ("manager", "admin"), "approve or deny")
    if by == request.requested_by:
        raise PrivacyError("own_request", f"{by} made {request.request_id} and cannot decide on it: another manager or admin has to")
    if is_approval and at >= request.due_at and not late_reason:
        raise PrivacyError(
            "after_deadline",
            f"{request.request_id} was to be done by {request.due_at.isoformat()}: approve it with --late and why it is late, or deny it",
        )


def check_executor(request: Request, by: str, role: str | None) -> None:
    """Whether somebody may execute: an operator, manager or admin, never who approved; or a program of ours."""
    if by == request.decided_by:
        raise PrivacyError("own_approval", f"{by} approved {request.request_id} and cannot execute it: somebody else has to")
    if not by.startswith("system:"):
        _check_role(request, by, role, ("operator", "manager", "admin"), "execute a request")


def check_person(request: Request, now: Collection[str]) -> None:
    """Whether the person is still the one that was verified: a merge or its end in between makes it another one."""
    if set(now) == set(request.point_ids):
        return
    more, less = sorted(set(now) - set(request.point_ids)), sorted(set(request.point_ids) - set(now))
    told = "; ".join(f"{word} {', '.join(each)}" for word, each in (("now also", more), ("no longer", less)) if each)
    raise PrivacyError(
        "person_changed",
        f"{request.request_id} was approved for other contact points ({told}): links changed since. "
        "Verify the identity again (flexoraa gdpr verify-identity), then have it approved again",
    )


def _check_role(request: Request, by: str, role: str | None, allowed: Iterable[str], what: str) -> None:
    if role is None:
        raise PrivacyError("unknown_person", f"{request.tenant_id} has nobody with the id {by!r} now: name one of the people of its file")
    if role not in allowed:
        raise PrivacyError("wrong_role", f"{by} is {role} of {request.tenant_id} and may not {what}: {' or '.join(allowed)} may")


def days_left(request: Request, now: datetime) -> int:
    """Whole days until the end, negative after it.

    >>> from datetime import UTC
    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> made = new_request("1", "t", "access", ("lead_a", ["cp_a"]), "meera", at)
    >>> days_left(made, at), days_left(made, at + timedelta(days=23, microseconds=1)), days_left(made, at + timedelta(days=31))
    (30, 6, -1)
    """
    return (request.due_at - now) // timedelta(days=1)


def warnings(requests: Iterable[Request], now: datetime) -> list[Action]:
    """What the tenants are to be told of open requests by now: each warning once, by its id; of several that are due the last one alone."""
    found = []
    for request in requests:
        reached = [before for before in WARN_BEFORE if now >= request.due_at - before]
        if request.closed_at is not None or not reached:
            continue
        before = min(reached)
        trigger = f"{before // timedelta(days=1)}_days_left" if before else "overdue"
        details: dict[str, Any] = {"kind": request.kind, "state": request.state, "due_at": request.due_at.isoformat()}
        due_at = request.due_at - before
        found.append(
            Action(
                warning_id(request.request_id, trigger), request.tenant_id, RULE, "notify", "webhook", request.lead_id, None, None, None,
                request.request_id, trigger, json.dumps(details, sort_keys=True), due_at, max(due_at, now) + WARNED_FOR,
            )
        )  # fmt: skip
    return found


def warning_id(request_id: str, trigger: str) -> str:
    """The id of a warning: the same request and the same moment are one."""
    return key_of(RULE, request_id, trigger)
