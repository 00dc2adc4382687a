"""The rules of requests, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.privacy import (
    MOVES,
    WARN_BEFORE,
    PrivacyError,
    Request,
    check_decider,
    check_executor,
    check_person,
    check_verifier,
    moved,
    new_request,
    warnings,
)

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
STATES = ("requested", "verified", "approved", "denied", "running", "verifying", "closed")


def _request(**changes: object) -> Request:
    return new_request("1", "t", "erasure", ("lead_a", ["cp_a", "cp_b"]), "ravi", AT)._replace(**changes)  # type: ignore[arg-type]


def test_every_deed_is_for_its_states_alone() -> None:
    for deed, moves in MOVES.items():
        for state in STATES:
            allowed = {after for before, after in moves if before == state}
            if allowed:
                assert moved(_request(state=state), deed) in allowed
            else:
                with pytest.raises(PrivacyError, match=state):
                    moved(_request(state=state), deed)


def test_nothing_leads_out_of_what_is_over() -> None:
    assert not {before for moves in MOVES.values() for before, _ in moves} & {"denied", "closed"}


@pytest.mark.parametrize(
    ("by", "role", "code"),
    [
        ("ravi", "manager", "own_request"),
        ("meera", "operator", "wrong_role"),
        ("meera", "viewer", "wrong_role"),
        ("x", None, "unknown_person"),
    ],
)
def test_a_manager_decides_and_never_who_asked(by: str, role: str | None, code: str) -> None:
    with pytest.raises(PrivacyError) as refused:
        check_decider(_request(), by, role, AT, None, is_approval=True)
    assert refused.value.code == code


def test_the_deadline_itself_is_too_late_and_a_denial_never_is() -> None:
    request = _request()
    check_decider(request, "meera", "manager", request.due_at - timedelta(microseconds=1), None, is_approval=True)
    with pytest.raises(PrivacyError, match="--late"):
        check_decider(request, "meera", "manager", request.due_at, None, is_approval=True)
    check_decider(request, "meera", "manager", request.due_at, "ill", is_approval=True)
    check_decider(request, "meera", "admin", request.due_at, None, is_approval=False)


def test_who_approved_does_not_execute_and_a_viewer_does_nothing() -> None:
    request = _request(decided_by="meera")
    check_executor(request, "ravi", "operator")
    check_executor(request, "system:dagster", None)
    for by, role, code in (("meera", "manager", "own_approval"), ("ira", "viewer", "wrong_role"), ("x", None, "unknown_person")):
        with pytest.raises(PrivacyError) as refused:
            check_executor(request, by, role)
        assert refused.value.code == code
    with pytest.raises(PrivacyError, match="verify an identity"):
        check_verifier(request, "ira", "viewer")


def test_another_set_of_points_is_another_person() -> None:
    check_person(_request(), ["cp_b", "cp_a"])
    with pytest.raises(PrivacyError, match="now also cp_c; no longer cp_a"):
        check_person(_request(), ["cp_b", "cp_c"])


@given(st.integers(-1, 3_600_000_000 * 24 * 40))
def test_a_warning_comes_at_its_instant_and_only_once(micros: int) -> None:
    request, now = _request(), AT + timedelta(microseconds=micros)
    told = warnings([request], now)
    reached = [before for before in WARN_BEFORE if now >= request.due_at - before]
    assert len(told) == bool(reached)
    assert warnings([request._replace(closed_at=now)], now) == []
    if told:
        assert told[0].due_at <= now < told[0].expires_at
        assert warnings([request], now + timedelta(seconds=1))[0].due_at >= told[0].due_at
