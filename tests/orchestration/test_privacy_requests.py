"""Requests: who may do what and when, in words and in the database; every attempt is in the audit log."""

import json
from datetime import timedelta

import psycopg
import pytest

from core.events import Point
from core.privacy import PrivacyError
from orchestration.identity_command import Desk, Who
from orchestration.resources.retention import Hold, PostgresRetention
from tests.orchestration.privacy_world import END, MANAGER, OPERATOR, OTHER, World


def _codes(made: World, tenant_id: str) -> list[tuple[str, str]]:
    return [(each.action, each.details.get("code", "")) for each in made.platform.audit.entries(tenant_id)]


def test_a_request_goes_its_way_by_four_eyes_and_every_attempt_is_audited(people: World) -> None:
    lead = people.somebody()
    tenant_id = people.leads[lead][0]
    office = people.office
    before = len(_codes(people, tenant_id))
    with pytest.raises(PrivacyError, match="nobody|no lead") as unknown:
        office.request(tenant_id, "erasure", "+4915100000000", OPERATOR, "a letter")
    assert unknown.value.code == "unknown_person"
    with pytest.raises(PrivacyError, match="no tenant"):
        office.request("nobody", "erasure", lead, OPERATOR, "a letter")
    with pytest.raises(PrivacyError, match="is nobody of"):
        office.request(tenant_id, "erasure", lead, "p_nobody", "a letter")
    with pytest.raises(PrivacyError, match="needs a reason"):
        office.request(tenant_id, "erasure", lead, OPERATOR, " ")
    made = office.request(tenant_id, "erasure", lead, MANAGER, "a letter")
    assert (made.state, made.due_at) == ("requested", END + timedelta(days=30))
    with pytest.raises(PrivacyError, match="asks for the same") as second:
        office.request(tenant_id, "erasure", lead, OPERATOR, "again")
    assert second.value.code == "second_request"
    with pytest.raises(PrivacyError, match="verify the identity first"):
        office.decide(made.request_id, MANAGER, "fine", is_approval=True)
    office.verify_identity(made.request_id, OPERATOR)
    with pytest.raises(PrivacyError, match="cannot decide on it") as own:
        office.decide(made.request_id, MANAGER, "fine", is_approval=True)
    assert own.value.code == "own_request"
    with pytest.raises(PrivacyError, match="may not approve or deny"):
        office.decide(made.request_id, OPERATOR, "fine", is_approval=True)
    assert office.requests.reason(made) == "a letter"
    seen = _codes(people, tenant_id)[before:]
    assert [action for action, _ in seen if action != "privacy.refused"] == ["privacy.requested", "privacy.verified"]
    assert [code for _, code in seen if code] == [
        "unknown_person", "wrong_role", "no_reason", "second_request", "wrong_state", "own_request", "wrong_role",
    ]  # fmt: skip
    assert ("privacy.refused", "unknown_tenant") in _codes(people, "")


def test_after_the_deadline_only_with_a_reason_for_being_late(people: World) -> None:
    lead = people.somebody()
    made = people.office.request(people.leads[lead][0], "erasure", lead, OPERATOR, "a letter")
    people.office.verify_identity(made.request_id, OTHER)
    with pytest.raises(PrivacyError, match="--late") as late:
        people.at(made.due_at).decide(made.request_id, MANAGER, "fine", is_approval=True)
    assert late.value.code == "after_deadline"
    assert people.at(made.due_at - timedelta(microseconds=1)).row(made, made.due_at - timedelta(microseconds=1))["days_left"] == 0
    approved = people.at(made.due_at).decide(made.request_id, MANAGER, "fine", is_approval=True, late="she was ill")
    assert (approved.state, approved.is_late) == ("approved", True)
    ran = people.execution.run([made.request_id], MANAGER)
    assert [each.code for each in ran] == ["own_approval"]


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ("state = 'closed', closed_at = now()", "no request goes from"),
        ("state = 'running', fence = 1, executed_by = 'p_ben'", "a fence rises"),
        ("state = 'approved', decided_by = 'p_ben', decided_at = %(now)s", "a manager or an admin"),
        ("state = 'approved', decided_by = 'p_nobody', decided_at = %(now)s", "a manager or an admin"),
        ("state = 'approved', decided_by = 'p_asha', decided_at = %(now)s + interval '40 days'", "the deadline has passed"),
        ("due_at = due_at + interval '9 days'", "stays as it is"),
        ("requested_by = 'p_other'", "stays as it is"),
        ("point_ids = '{cp_other}'", "stays as it is"),
        ("verified_by = 'p_other'", "no request goes from|stays as it is"),
    ],
)
def test_no_statement_of_the_platforms_role_gets_round_the_rules(people: World, sets: str, why: str) -> None:
    request_id = _verified(people)
    with pytest.raises(psycopg.errors.CheckViolation, match=why), people.state.psycopg() as connection:
        connection.execute(f"update ops.privacy_requests set {sets} where request_id = %(id)s", {"id": request_id, "now": END})  # type: ignore[arg-type]


def test_who_asked_does_not_approve_and_who_approved_does_not_execute_in_sql_either(people: World) -> None:
    request_id = _verified(people, by="p_asha")
    approve = "update ops.privacy_requests set state = 'approved', decided_by = %s, decided_at = %s where request_id = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="whoever asked"), people.state.psycopg() as connection:
        connection.execute(approve, ("p_asha", END, request_id))
    request_id = _verified(people)
    with people.state.psycopg() as connection:
        connection.execute(approve, ("p_asha", END, request_id))
    run = "update ops.privacy_requests set state = 'running', fence = 1, executed_by = %s, started_at = %s where request_id = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="whoever approved"), people.state.psycopg() as connection:
        connection.execute(run, ("p_asha", END, request_id))
    with people.state.psycopg() as connection:
        connection.execute(run, ("p_ben", END, request_id))
        connection.execute("update ops.privacy_requests set state = 'verifying' where request_id = %s", (request_id,))
    close = "update ops.privacy_requests set state = 'closed', closed_at = now() where request_id = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="certificate without a hit"), people.state.psycopg() as connection:
        connection.execute(close, (request_id,))
    for forbidden in ("delete from ops.privacy_requests", "update ops.erasures set lead_id = ''", "delete from ops.privacy_steps"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), people.state.psycopg() as connection:
            connection.execute(forbidden)  # type: ignore[call-overload]


def _verified(made: World, by: str = "p_ben") -> str:
    with made.state.psycopg() as connection:
        count = connection.execute("select count(*) from ops.privacy_requests").fetchone()
        request_id = f"pr_sql{count and count[0]}"
        connection.execute(
            "insert into ops.privacy_requests (request_id, tenant_id, kind, origin, lead_id, point_ids, requested_by, requested_at, due_at) "
            "values (%s, %s, 'erasure', 'command', %s, '{cp_x}', %s, %s, %s)",
            (request_id, made.leads[made.plain[0]][0], f"lead_{request_id}", by, END, END + timedelta(days=30)),
        )
        connection.execute(
            "update ops.privacy_requests set state = 'verified', verified_by = 'p_chen', verified_at = %s where request_id = %s",
            (END, request_id),
        )
    return request_id


def test_a_merge_after_the_approval_makes_it_another_person_and_nothing_is_done(people: World) -> None:
    one, other = people.somebody(), people.somebody()
    tenant_id = people.leads[one][0]
    request = people.approved(one)
    p = people.platform
    desk = Desk(people.state, people.vault, p.lake, p.identity, END)
    link = desk.accept((one, other), Who(MANAGER, "one person, two numbers"))["link_id"]
    refused = people.run([request.request_id])[request.request_id]
    assert (refused.code, refused.state) == ("person_changed", "approved")
    assert "now also" in refused.message and people.leads[other][1][0] in refused.message
    assert people.values(one) and people.values(other)
    assert people.office.requests.steps(request.request_id) == {}
    assert ("erasure.refused", "person_changed") in _codes(people, tenant_id)
    again = people.office.verify_identity(request.request_id, OTHER)
    assert (again.state, again.decided_by) == ("verified", None)
    people.office.decide(again.request_id, MANAGER, "it was one person", is_approval=False)
    Desk(people.state, people.vault, p.lake, p.identity, END).revoke(link, Who(MANAGER, "two persons"))


def test_who_is_under_a_legal_hold_is_not_erased_before_it_is_released(people: World) -> None:
    lead = people.somebody()
    tenant_id = people.leads[lead][0]
    retention = PostgresRetention(people.state, people.vault)
    hold = Hold("hold_1", tenant_id, lead, MANAGER, END)
    retention.hold(hold, "a court asks")
    request = people.approved(lead)
    refused = people.run([request.request_id])[request.request_id]
    assert (refused.code, refused.state) == ("legal_hold", "approved")
    assert people.values(lead)
    retention.hold(hold._replace(hold_id="hold_2"), "it is over", releases="hold_1")
    assert retention.holds(tenant_id) == []
    with pytest.raises(PrivacyError, match="no hold in force"):
        retention.hold(hold._replace(hold_id="hold_3"), "again", releases="hold_1")
    assert people.run([request.request_id])[request.request_id].state == "closed"
    with pytest.raises(PrivacyError, match="nobody"):
        people.office.request(tenant_id, "erasure", "+919999999999", OPERATOR, "once more")


def test_an_erased_person_who_writes_again_is_somebody_new(people: World) -> None:
    lead = people.somebody()
    tenant_id, points = people.leads[lead]
    values = people.values(lead)
    request = people.approved(lead)
    assert people.run([request.request_id])[request.request_id].state == "closed"
    new = people.vault.points(tenant_id, [Point(values[0].kind, values[0].value)])
    assert {key.point_id for key in new.values()}.isdisjoint(points)


def test_the_clock_warns_once_at_each_end(people: World) -> None:
    lead = people.somebody()
    request = people.office.request(people.leads[lead][0], "access", lead, OPERATOR, "a letter")
    outbox = people.platform.outbox
    counts = []
    for left in (timedelta(days=7, microseconds=1), timedelta(days=7), timedelta(days=6), timedelta(days=2), timedelta(0), timedelta(-1)):
        office = people.at(request.due_at - left)
        office.warn(outbox)
        with people.state.psycopg() as connection:
            rows = connection.execute("select trigger, details from ops.outbox where subject = %s order by due_at", (request.request_id,))
            counts.append([(trigger, details["state"]) for trigger, details in rows.fetchall()])
    assert [len(each) for each in counts] == [0, 1, 1, 2, 3, 3]
    assert [trigger for trigger, _ in counts[-1]] == ["7_days_left", "2_days_left", "overdue"]
    assert json.loads(json.dumps(counts[-1][-1])) == ["overdue", "requested"]
