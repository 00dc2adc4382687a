"""Requests of people in Dagster: noted from the feed, asked for by the sensor, executed by the job, watched by the clock."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import dagster as dg
import pytest
import yaml

from assets.privacy import Requests, execute_privacy_requests, no_privacy_request_is_overdue, privacy_clock, privacy_requests
from core.privacy import SYSTEM
from orchestration.definitions import build_defs
from orchestration.privacy_desk import PrivacyDesk
from orchestration.resources.clock import FixedClock
from orchestration.sensors import privacy_requests_approved
from orchestration.simulator.wire import platform_wire
from tests.orchestration.privacy_world import END, MANAGER, OTHER, World


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


def _desk(people: World, at: datetime = END) -> PrivacyDesk:
    return PrivacyDesk(people.platform, people.at(at))


def _feed(people: World, *asked: tuple[str, str, datetime]) -> None:
    """Requests as the operating system signs and sends them: of leads, of a kind, at a moment."""
    traffic = people.settings.home.parent / "traffic"
    tenant = yaml.safe_load((traffic / "tenants.yaml").read_text())["tenants"][0]
    account = next(each["account_id"] for each in tenant["connections"] if each["source"] == "platform")
    secret = (traffic / "secrets" / f"{tenant['id']}_platform").read_text()
    lines = []
    for lead, kind, at in asked:
        value = people.values(lead)[0]
        contact = {"kind": value.kind, "value": value.value}
        body = {"type": "privacy.requested", "id": uuid.uuid4().hex, "account_id": account, "occurred_at": at.isoformat()}
        lines.append(platform_wire(json.dumps(body | {"kind": kind, "contact": contact}), secret, Random(1)).line(at))
    (people.settings.inbox / f"{uuid.uuid4().hex}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    people.take_in()


def _noted(people: World, *leads: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    return {
        (each.lead_id, each.kind): (each.state, each.origin, each.requested_by)
        for each in people.office.requests.all()
        if each.lead_id in leads
    }


def _note(people: World, instance: dg.DagsterInstance) -> dict[str, object]:
    resources = {"privacy": _desk(people), "lake": people.platform.lake, "outbox": people.platform.outbox}
    done = dg.materialize([privacy_requests, no_privacy_request_is_overdue], instance=instance, resources=resources)
    [event] = done.get_asset_materialization_events()
    return {key: each.value for key, each in event.materialization.metadata.items()}


def test_what_the_feed_asks_for_is_noted_once_and_a_second_of_its_kind_is_not(people: World, instance: dg.DagsterInstance) -> None:
    one, other = people.somebody(), people.somebody()
    at = END - timedelta(days=24)
    _feed(people, (one, "erasure", at), (one, "access", at), (other, "rectification", at), (one, "erasure", at + timedelta(hours=1)))
    told = _note(people, instance)
    assert told["new"] == 3
    asked = ("requested", "feed", "subject")
    assert _noted(people, one, other) == {(one, "erasure"): asked, (one, "access"): asked, (other, "rectification"): asked}
    assert int(str(told["warnings"])) >= 3  # six days are left
    again = _note(people, instance)
    assert (again["new"], again["warnings"]) == (0, 0)
    entries = [each for each in people.platform.audit.entries(people.leads[one][0]) if each.details.get("lead_id") in {one, other}]
    assert [(each.action, each.actor) for each in entries] == [("privacy.requested", "subject")] * 3


def test_the_sensor_asks_once_for_those_that_wait_the_job_executes_them_and_the_check_names_what_is_overdue(
    people: World, instance: dg.DagsterInstance
) -> None:
    lead = people.somebody()
    _feed(people, (lead, "erasure", END - timedelta(days=30)))
    _note(people, instance)
    [request] = [each for each in people.office.requests.all() if each.lead_id == lead]
    desk = _desk(people)

    def tick(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"privacy": desk}) as context:
            result = privacy_requests_approved(context)
        assert isinstance(result, dg.SensorResult)
        return result

    before = tick(None)
    assert request.request_id not in desk.waiting()
    people.office.verify_identity(request.request_id, OTHER)
    people.office.decide(request.request_id, MANAGER, "she is right", is_approval=True, late="it came on a Sunday")
    assert desk.counts()["overdue"] >= 1
    [check] = dg.materialize(
        [privacy_requests, no_privacy_request_is_overdue],
        instance=instance,
        resources={"privacy": desk, "lake": people.platform.lake, "outbox": people.platform.outbox},
        raise_on_error=False,
    ).get_asset_check_evaluations()
    assert not check.passed
    first = tick(before.cursor)
    assert len(first.run_requests or []) == 1
    assert tick(before.cursor).cursor == first.cursor  # the daemon died before the cursor moved: asked for again, to the same end
    assert not tick(first.cursor).run_requests
    config = dg.RunConfig(ops={"execute_requests": Requests(request_ids=[request.request_id])})
    done = execute_privacy_requests.execute_in_process(instance=instance, resources={"privacy": desk}, run_config=config)
    assert done.success
    found = people.office.find(request.request_id)
    assert (found.state, found.executed_by, found.is_late) == ("closed", SYSTEM, True)
    failed = execute_privacy_requests.execute_in_process(
        instance=instance, resources={"privacy": desk}, run_config=config, raise_on_error=False
    )
    assert not failed.success  # what is closed cannot be executed, and whoever launches it is told
    value = people.vault.reveal(people.leads[lead][0], people.leads[lead][1])
    assert value == {}


def test_the_jobs_are_in_the_location_and_launch_with_no_word_of_configuration_or_with_requests_named(instance: dg.DagsterInstance) -> None:
    defs = build_defs()
    for name, config in (
        ("execute_privacy_requests", {}),
        ("execute_privacy_requests", {"ops": {"execute_requests": {"config": {"request_ids": ["pr_1"]}}}}),
        ("privacy_clock", {}),
    ):
        assert dg.validate_run_config(defs.resolve_job_def(name), config)
    assert {"privacy_requests_approved"} <= {each.name for each in defs.sensors or []}
    assert {"daily_privacy_clock"} <= {each.name for each in defs.schedules or []}


def test_the_daily_clock_tells_the_tenant_of_each_end_once_as_an_action(people: World, instance: dg.DagsterInstance) -> None:
    lead = people.somebody()
    request = people.office.request(people.leads[lead][0], "rectification", lead, MANAGER, "a letter")

    def warned(at: datetime) -> list[str]:
        resources = {"privacy": _desk(people, at), "outbox": people.platform.outbox, "clock": FixedClock(at)}
        assert privacy_clock.execute_in_process(instance=instance, resources=resources).success
        with people.state.psycopg() as connection:
            rows = connection.execute("select trigger from ops.outbox where subject = %s order by due_at", (request.request_id,)).fetchall()
        return [str(row[0]) for row in rows]

    assert warned(request.due_at - timedelta(days=7, microseconds=1)) == []
    assert warned(request.due_at - timedelta(days=7)) == ["7_days_left"]
    assert warned(request.due_at) == ["7_days_left", "overdue"]
