"""What people may do with actions: look, try again, call off, settle, pause; each once, by whom it is allowed, and kept."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from assets.delivery import deliver
from core.actions import Outcome
from orchestration.actions_command import ActionError, Office
from orchestration.cli import app
from orchestration.receiver import Receiver
from orchestration.resources.action_desk import ActionDesk
from orchestration.resources.clock import FixedClock
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.notices import PostgresNotices
from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW, SECRETS, Scene

PEOPLE = """
    people:
      - { id: meera, name: Meera, email: m@a.example, role: manager, calendar: office, valid_from: 2026-01-01T00:00:00Z }
      - { id: ravi, name: Ravi, email: r@a.example, role: operator, calendar: office, valid_from: 2026-01-01T00:00:00Z }
      - { id: vera, name: Vera, email: v@a.example, role: viewer, calendar: office, valid_from: 2026-01-01T00:00:00Z }
"""
UNKNOWN = Outcome("unknown", "no answer: ReadTimeout", None, None, "aa", None)


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, state: State, vault: Vault) -> Iterator[Scene]:
    """A fresh tenant with three people, over an empty outbox."""
    with state.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox")
    with Receiver(tmp_path / "record.ndjson") as receiver, httpx.Client() as client:
        made = Scene(f"t{uuid.uuid4().hex[:10]}", tmp_path, tmp_path / "inbox", state, vault, receiver, client)
        path = made.folder / f"{made.tenant}.yaml"
        path.write_text(path.read_text() + PEOPLE)
        apply_file(path, state, vault, NOW, SECRETS)
        yield made
        with state.owner() as connection:
            connection.execute("delete from ops.action_decisions")
            connection.execute("delete from ops.delivery_attempts")
            connection.execute("delete from ops.outbox")
            connection.execute("delete from ops.action_pauses")


@pytest.fixture
def office(scene: Scene) -> Office:
    identity = PostgresIdentity(scene.state, scene.vault)
    return Office(ActionDesk(scene.state, scene.vault), identity, PostgresNotices(scene.state, None), NOW)


def ids(scene: Scene, *numbers: int) -> list[str]:
    return [scene.alert(number).action_id for number in numbers]


def test_a_doubt_is_settled_by_a_person_and_only_then_tried_again(scene: Scene, office: Office) -> None:
    scene.publish([scene.alert(1)])
    scene.outbox.add([scene.alert(1)], NOW)
    [held] = scene.outbox.claim("w1", NOW, 1)
    [name] = ids(scene, 1)
    with pytest.raises(ActionError, match="is claimed: a worker is trying it"):
        office.decide(name, "retried", "ravi", "impatient")
    assert scene.outbox.settle(held, UNKNOWN, NOW)
    with pytest.raises(ActionError, match="is unknown: nobody knows whether it arrived"):
        office.decide(name, "retried", "ravi", "impatient")
    answer = office.decide(name[:8], "resolved_not_sent", "ravi", "Asha says that nothing came")
    assert (answer["before"], answer["state"]) == ("unknown", "rejected")
    assert scene.deliver().outcomes == {}
    assert office.decide(name, "retried", "ravi", "again")["state"] == "requested"
    assert scene.deliver().outcomes == {("lead_leak", "sent"): 1}
    with pytest.raises(ActionError, match="is sent: it was sent"):
        office.decide(name, "cancelled", "ravi", "too late")
    shown = office.show(name)
    assert [(each["verdict"], each["state_before"], each["decided_by"], each["note"]) for each in shown["decisions"]] == [
        ("resolved_not_sent", "unknown", "ravi", "Asha says that nothing came"),
        ("retried", "rejected", "ravi", "again"),
    ]
    assert [each["outcome"] for each in shown["attempts"]] == ["unknown", "sent"]
    assert len(scene.receiver.alerts(scene.tenant)) == 1
    assert "Asha" not in str(scene.rows("note_enc::text", "action_decisions as d join ops.delivery_attempts using (action_id, tenant_id)"))


def test_of_many_who_decide_at_once_one_does_and_the_late_worker_records_nothing(scene: Scene, office: Office) -> None:
    scene.outbox.add([scene.alert(1)], NOW)
    [held] = scene.outbox.claim("w1", NOW, 1)
    scene.outbox.settle(held, UNKNOWN, NOW)
    barrier, results = threading.Barrier(8), []

    def settle(number: int) -> None:
        barrier.wait()
        try:
            results.append(office.decide(ids(scene, 1)[0], ("resolved_sent", "resolved_not_sent")[number % 2], "ravi", "looked")["state"])
        except ActionError:
            results.append(None)

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    [settled] = [each for each in results if each]
    assert scene.states() == [settled]
    assert not scene.outbox.settle(held, Outcome("sent", "late"), NOW)
    assert len(office.desk.decisions(ids(scene, 1)[0])) == 1


def test_who_may_do_what_and_what_is_meant(scene: Scene, office: Office) -> None:
    scene.outbox.add([scene.alert(1), scene.alert(2, expires_at=NOW)], NOW)
    one, over = ids(scene, 1, 2)
    for name, by, words in (
        (one, "vera", "vera is viewer"), (one, "nobody", "is nobody of"), (one[:5], "ravi", "too short"), ("zzzzzz", "ravi", "no action's id"),
        (over, "ravi", "its time was over"),
    ):  # fmt: skip
        with pytest.raises(ActionError, match=words):
            office.decide(name, "retried", by, "because")
    with pytest.raises(ActionError, match="1 to 2000 characters"):
        office.decide(one, "cancelled", "ravi", " ")
    assert office.decide(one, "cancelled", "ravi", "told her")["before"] == "requested"
    assert dict(scene.rows("subject, state || ': ' || reason")) == {"l1": "cancelled: cancelled by a person", "l2": None}
    with pytest.raises(ActionError, match="there is no tenant 'nobody'"):
        office.pause("nobody", None, "paused", "ravi", "why")
    office.pause(scene.tenant, None, "paused", "ravi", "why")
    with pytest.raises(ActionError, match="ravi is operator .* ask one who is admin or manager"):
        office.resume(scene.tenant, None, "ravi", "why")
    with pytest.raises(ActionError, match="of .* every kind is paused, not notify"):
        office.resume(scene.tenant, "notify", "meera", "why")


def test_a_pause_holds_what_waits_what_comes_and_what_is_tried_again_until_it_ends(scene: Scene, office: Office) -> None:
    scene.publish([scene.alert(1), scene.alert(2), scene.template(3)])
    scene.outbox.add([scene.alert(1), scene.template(3)], NOW)
    [trying] = scene.outbox.claim("w1", NOW, 1)
    assert office.pause(scene.tenant, "notify", "paused", "ravi", "wrong texts")["held"] == (trying.action.kind != "notify")
    with pytest.raises(ActionError, match="paused since .* by ravi: resume it"):
        office.pause(scene.tenant, "notify", "dry_run", "ravi", "again")
    scene.outbox.add([scene.alert(2)], NOW)
    scene.outbox.settle(trying, Outcome("requested", "not reached"), NOW)
    scene.now = NOW + timedelta(minutes=2)
    assert scene.deliver().outcomes == {("cold_recovery", "sent"): 1}, "other kinds go on"
    assert dict(scene.rows("subject, state")) == {"l1": "held", "l2": "held", "l3": "sent"}
    with pytest.raises(ActionError, match="is paused: `flexoraa actions resume`"):
        office.decide(ids(scene, 2)[0], "retried", "ravi", "only this one")
    assert office.decide(ids(scene, 2)[0], "cancelled", "ravi", "not this one")["before"] == "held"
    assert [(each["kind"], each["held"], each["note"]) for each in office.desk.pauses(scene.tenant)] == [("notify", 1, "wrong texts")]
    assert office.resume(scene.tenant, "notify", "meera", "texts are right")["freed"] == 1
    assert scene.deliver().outcomes == {("lead_leak", "sent"): 1}
    assert dict(scene.rows("subject, state")) == {"l1": "sent", "l2": "cancelled", "l3": "sent"}
    assert office.desk.pauses() == []


def test_nothing_slips_between_those_who_add_and_who_pauses(scene: Scene, office: Office) -> None:
    barrier = threading.Barrier(5)

    def add(number: int) -> None:
        barrier.wait()
        for each in range(20):
            scene.outbox.add([scene.alert(100 * number + each)], NOW)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    barrier.wait()
    office.pause(scene.tenant, None, "paused", "ravi", "stop")
    for each in threads:
        each.join()
    assert scene.states() == ["held"] * 80
    assert scene.outbox.claim("w1", NOW, 100) == []


def test_another_tenants_actions_are_not_paused(scene: Scene, office: Office) -> None:
    office.pause(scene.tenant, None, "paused", "ravi", "stop")
    other = scene.alert(1, tenant_id=f"{scene.tenant}_other", action_id="f" * 64)
    scene.outbox.add([scene.alert(1), other], NOW)
    with scene.state.psycopg() as connection:
        states = dict(connection.execute("select tenant_id, state from ops.outbox").fetchall())
    assert states == {scene.tenant: "held", f"{scene.tenant}_other": "requested"}


def test_a_dry_run_decides_and_gates_and_nothing_leaves(scene: Scene, office: Office, settings: Settings) -> None:
    def round_of(*, is_dry: bool = False) -> dict[tuple[str, str], int]:
        told = {"FLEXORAA_WHATSAPP_URL": scene.receiver.url, "FLEXORAA_DRY_RUN": "yes" if is_dry else "no"}
        with open_platform(Settings.load(settings.home, told), FixedClock(scene.now)) as platform:
            ways = platform.ports()["senders"]
            return dict(deliver(platform.outbox, ways, scene.receipts(), platform.clock, "w").outcomes)

    scene.publish([scene.alert(1), scene.template(2), scene.template(3)], opted_out=["l3"])
    scene.outbox.add([scene.alert(1), scene.template(2), scene.template(3)], NOW)
    office.pause(scene.tenant, "send_template", "dry_run", "ravi", "first week")
    assert round_of(is_dry=True) == {("lead_leak", "requested"): 1, ("cold_recovery", "requested"): 1, ("cold_recovery", "cancelled"): 1}
    assert scene.receiver.requests == []
    scene.now = NOW + timedelta(minutes=2)
    assert round_of() == {("lead_leak", "sent"): 1, ("cold_recovery", "cancelled"): 1}
    assert [each.path for each in scene.receiver.requests] == [f"/hook/{scene.tenant}"]
    reasons = dict(scene.rows("subject, reason"))
    assert (reasons["l2"], reasons["l3"]) == ("dry run: it would have gone out by whatsapp", "the lead opted out")
    assert office.resume(scene.tenant, "send_template", "meera", "live")["freed"] == 0
    assert round_of() == {}


def test_decisions_and_pauses_are_the_tenants_own_and_nobody_changes_them(scene: Scene, office: Office) -> None:
    scene.outbox.add([scene.alert(1)], NOW)
    office.decide(ids(scene, 1)[0], "cancelled", "ravi", "why")
    office.pause(scene.tenant, None, "paused", "ravi", "why")
    with scene.state.owner() as connection:
        connection.execute(f"create role flexoraa_tenant_{scene.tenant}_x in role flexoraa_tenants")
        connection.execute(f"set local role flexoraa_tenant_{scene.tenant}_x")
        for table in ("action_decisions", "action_pauses", "outbox"):
            assert connection.execute(f"select count(*) from ops.{table}").fetchone() == (0,), table  # type: ignore[arg-type]
    for statement in (
        "delete from ops.action_decisions",
        "update ops.action_decisions set decided_by = 'x'",
        "delete from ops.action_pauses",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), scene.state.psycopg() as connection:
            connection.execute(statement)  # type: ignore[arg-type]


def test_the_command_lists_shows_and_decides(scene: Scene, settings: Settings) -> None:
    scene.publish([scene.alert(1)])
    scene.outbox.add([scene.alert(1), scene.alert(2, expires_at=NOW + timedelta(days=9_000))], NOW)
    home = ["--home", str(settings.home)]

    def run(*words: str) -> str:
        ran = CliRunner().invoke(app, ["actions", *words, *home], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return ran.output

    listed = json.loads(run("list", "--tenant", scene.tenant, "--json"))
    assert {each["action_id"] for each in listed["actions"]} == set(ids(scene, 1, 2))
    assert "requested 2" in run("list", "--state", "requested")
    assert "no such action" in run("list", "--kind", "top_up_link")
    why = ["--by", "meera", "--reason", "because"]
    two = ids(scene, 2)[0]
    assert "was requested and is cancelled" in run("cancel", two[:10], *why)
    assert "was cancelled and is requested" in run("retry", two[:10], *why)
    assert "is paused now, 2 held" in run("pause", "--tenant", scene.tenant, *why)
    assert "paused: every kind of" in run("list", "--tenant", scene.tenant)
    assert "is running now, 2 go on" in run("resume", "--tenant", scene.tenant, *why)
    shown = json.loads(run("show", two, "--json"))
    assert [each["verdict"] for each in shown["decisions"]] == ["cancelled", "retried"]
    assert "no attempts" in run("show", two)
    assert json.loads(run("digest", "--tenant", scene.tenant, "--json"))["digests"][0]["sent"] == 0
