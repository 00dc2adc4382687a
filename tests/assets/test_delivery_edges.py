"""What changes between the wish and the send, and what many do at once: with real adapters against a local receiver."""

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from assets.delivery import deliver
from core.actions import Action, key_of
from orchestration.receiver import Request
from orchestration.resources.clock import FixedClock
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from tests.orchestration.effects import FAST, NOW, NUMBER, SECRETS, Scene, tenants_file

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "      - { id: system, kind: callback, url: URL/callback/system, secret: { env: HOOK }, valid_from: 2026-01-01T00:00:00Z }\n"
PEOPLE = "      - { id: people, kind: alerts, url: URL/hook/people, valid_from: 2026-01-01T00:00:00Z }\n"


def configure(scene: Scene, rates: str = FAST, more: str = "", destinations: str = "") -> None:
    """The tenants file anew."""
    path = tenants_file(scene.folder, scene.tenant, scene.receiver.url, rates, more, destinations.replace("URL", scene.receiver.url))
    apply_file(path, scene.state, scene.vault, NOW, SECRETS)


def limit(scene: Scene, **limits: object) -> None:
    """Limits of the tenant."""
    path = scene.folder / f"{scene.tenant}.yaml"
    lines = "".join(f"\n        {name}: {value}" for name, value in limits.items())
    path.write_text(path.read_text().replace("        contact_gap_seconds: 0", f"        contact_gap_seconds: 0{lines}"))
    apply_file(path, scene.state, scene.vault, NOW, SECRETS)


def serve(scene: Scene, mart: str, *rows: tuple[object, ...]) -> None:
    """Rows of a published mart besides, and a publication that tells of them."""
    with scene.state.begin() as connection:
        for row in rows:
            connection.exec_driver_sql(f"insert into serving.{mart} values ({', '.join(['%s'] * len(row))})", row)
        connection.exec_driver_sql("insert into ops.publications (as_of, published_at, tables) values (now(), now(), '{}')")


def ask_for(scene: Scene, *actions: Action) -> None:
    scene.publish(actions)
    scene.outbox.add(actions, scene.now)


def reason(scene: Scene) -> tuple[str, str, str | None]:
    [row] = scene.rows("state, reason, release")
    return row  # type: ignore[return-value]


def test_every_destination_is_told_once_and_each_has_an_outcome_of_its_own(scene: Scene) -> None:
    configure(scene, destinations=PEOPLE)
    scene.go(scene.alert(1))
    assert Counter(each.path for each in scene.receiver.requests) == {f"/hook/{scene.tenant}": 1, "/hook/people": 1}
    assert {row[0]: row[1:] for row in scene.rows("target, state, request_id")} == {
        "hook": ("sent", None), "people": ("sent", scene.alert(1).action_id),
    }  # fmt: skip
    assert len({each.headers["idempotency-key"] for each in scene.receiver.requests}) == 2
    assert scene.go(scene.alert(1)).outcomes == {}


def test_what_only_the_operating_system_can_do_goes_to_its_callback_and_else_to_the_alerts(scene: Scene) -> None:
    pause = scene.alert(1, kind="pause", rule="token_threshold")
    scene.go(pause)
    assert [each.path for each in scene.receiver.requests] == [f"/hook/{scene.tenant}"]  # nobody else is there
    configure(scene, destinations=SYSTEM)
    scene.go(scene.alert(2, kind="pause", rule="token_threshold"), scene.alert(3))
    assert Counter(each.path for each in scene.receiver.requests[1:]) == {"/callback/system": 1, f"/hook/{scene.tenant}": 1}


def test_an_assignment_is_the_operating_systems_to_make_and_peoples_to_hear_of(scene: Scene) -> None:
    scene.go(scene.alert(1, kind="assign", rule="routing"))
    assert Counter(each.path for each in scene.receiver.requests) == {f"/hook/{scene.tenant}": 1}  # without a callback, people alone
    configure(scene, destinations=SYSTEM)
    scene.go(scene.alert(2, kind="assign", rule="routing"))
    assert Counter(each.path for each in scene.receiver.requests[1:]) == {"/callback/system": 1, f"/hook/{scene.tenant}": 1}
    assert len({each.headers["idempotency-key"] for each in scene.receiver.requests}) == 3


def test_a_callback_in_doubt_is_asked_for_again_with_the_same_key(scene: Scene) -> None:
    configure(scene, destinations=SYSTEM)
    with scene.receiver.misbehaving(is_hanging_up=True):
        scene.go(scene.alert(1, kind="pause", rule="token_threshold"))
    assert scene.states() == ["requested"]
    scene.now = NOW + timedelta(minutes=1.25)
    scene.deliver()
    assert scene.states() == ["sent"]
    assert {each.headers["idempotency-key"] for each in scene.receiver.requests} == {scene.alert(1).action_id}


def test_a_waiting_message_moves_to_the_number_that_the_lead_changed_to(scene: Scene) -> None:
    old, new = scene.point_of("+919876500001"), scene.point_of("+919876500777")
    ask_for(scene, scene.template(1, point_id=old))
    changed = NOW - timedelta(seconds=1)
    with scene.state.begin() as connection:
        connection.execute(text("update serving.dim_contact_points set valid_to_at = :at"), {"at": changed})
    serve(scene, "dim_contact_points", (scene.tenant, new, "l1", "phone", changed, None))
    scene.deliver()
    assert [each.json()["to"] for each in scene.receiver.messages()] == ["919876500777"]
    assert scene.rows("state, point_id") == [("sent", new)]


def test_a_waiting_message_stops_where_nobody_knows_the_new_number(scene: Scene) -> None:
    old, one, two = (scene.point_of(f"+9198765007{number:02}") for number in range(3))
    ask_for(scene, scene.template(1, point_id=old))
    changed = NOW - timedelta(seconds=1)
    with scene.state.begin() as connection:
        connection.execute(text("update serving.dim_contact_points set valid_to_at = :at"), {"at": changed})
    serve(scene, "dim_contact_points", *((scene.tenant, each, "l1", "phone", changed, None) for each in (one, two)))
    scene.deliver()
    assert reason(scene)[:2] == ("cancelled", "the lead no longer holds this contact point")
    assert scene.receiver.requests == []


def test_a_newest_request_for_another_number_of_the_lead_wins(scene: Scene) -> None:
    new = scene.point_of("+919876500888")
    ask_for(scene, scene.template(1))
    scene.publish([scene.template(1, point_id=new)])
    scene.deliver()
    assert [each.json()["to"] for each in scene.receiver.messages()] == ["919876500888"]


def test_a_suspended_account_holds_and_its_reinstatement_lets_go(scene: Scene) -> None:
    ask_for(scene, scene.template(1), scene.alert(1))
    serve(
        scene,
        "act_suspensions",
        (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "account", None, "DISABLE", NOW - timedelta(hours=1), None),
    )
    scene.deliver()
    assert sorted(scene.states()) == ["held", "sent"]  # of the account, though the message goes from its number
    assert [row[1:] for row in scene.rows("state, reason, release") if row[0] == "held"] == [
        ("the account is suspended: DISABLE", "the account is reinstated")
    ]
    assert scene.deliver().outcomes == {}  # nothing new was published
    with scene.state.begin() as connection:
        connection.exec_driver_sql("update serving.act_suspensions set until_at = since_at + interval '59 minutes'")
    serve(scene, "act_suspensions")
    scene.deliver()
    assert scene.states() == ["sent", "sent"]
    assert len(scene.receiver.messages()) == 1


def test_a_restriction_ends_by_itself_at_its_moment(scene: Scene) -> None:
    ends = NOW + timedelta(hours=1)
    ask_for(scene, scene.template(1))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-{NUMBER}", "whatsapp", "number", None, "RESTRICTION", NOW, ends))
    for moment, state in ((NOW, "held"), (ends - timedelta(microseconds=1), "held"), (ends, "sent")):
        scene.now = moment
        scene.deliver()
        assert scene.states() == [state]


def test_a_paused_template_waits_and_another_goes(scene: Scene) -> None:
    ask_for(scene, scene.template(1), scene.template(2, template_name="other"))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "template", "recovery_1", "PAUSED", NOW, None))
    scene.deliver()
    assert {row[0]: row[1] for row in scene.rows("template_name, state")} == {"recovery_1": "held", "other": "sent"}


def test_a_held_action_expires_at_its_time_and_says_what_held_it(scene: Scene) -> None:
    ends = NOW + timedelta(hours=1)
    ask_for(scene, scene.template(1, expires_at=ends))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "account", None, "DISABLE", NOW, None))
    scene.deliver()
    assert scene.states() == ["held"]
    scene.now = ends
    scene.deliver()
    assert reason(scene)[:2] == ("expired", "its time is over; it was held: the account is suspended: DISABLE")


def test_an_empty_wallet_holds_until_the_top_up_is_published(scene: Scene) -> None:
    ask_for(scene, scene.template(1))
    serve(scene, "fct_token_balances", (scene.tenant, True, 0, 1_000), (scene.tenant, False, 900, 1_000))
    scene.deliver()
    assert reason(scene) == ("held", "the wallet holds 0 tokens", "the wallet is topped up")
    with scene.state.begin() as connection:
        connection.exec_driver_sql("update serving.fct_token_balances set balance_tokens = 5 where is_current")
    serve(scene, "fct_token_balances")
    scene.deliver()
    assert scene.states() == ["sent"]


def test_quiet_hours_hold_until_the_morning(scene: Scene) -> None:
    limit(scene, quiet_hours='"17:00-19:00"')  # NOW is 17:30 in Kolkata
    ask_for(scene, scene.template(1))
    ends = NOW + timedelta(hours=1.5)
    for moment, state in ((NOW, "held"), (ends - timedelta(microseconds=1), "held"), (ends, "sent")):
        scene.now = moment
        scene.deliver()
        assert scene.states() == [state]


def test_the_portfolio_lets_so_many_people_by_in_a_day_and_the_next_when_the_first_ones_day_is_over(scene: Scene) -> None:
    limit(scene, portfolio_users=2)
    ask_for(
        scene,
        *(scene.template(number, due_at=NOW - timedelta(minutes=9 - number), expires_at=NOW + timedelta(days=9)) for number in range(4)),
    )
    scene.deliver()
    assert scene.states() == ["sent", "sent", "held", "held"]
    scene.outbox.add([again := scene.template(0, action_id="again", expires_at=NOW + timedelta(days=9))], NOW)
    serve(scene, "act_requests", tuple(getattr(again, name) for name in (
        "action_id", "tenant_id", "lead_id", "point_id", "account_id", "rule", "kind", "channel", "template_name", "subject", "trigger",
        "details", "due_at", "expires_at",
    )))  # fmt: skip
    scene.now = NOW + timedelta(hours=1)
    scene.deliver()
    assert {row[0]: row[1] for row in scene.rows("action_id, state")}["again"] == "sent"  # somebody who was written to already
    scene.now = NOW + timedelta(hours=24) - timedelta(microseconds=1)
    scene.deliver()
    assert Counter(scene.states())["held"] == 2
    scene.now = NOW + timedelta(hours=24)  # the second person's day is over; the first was written to an hour later again
    scene.deliver()
    assert Counter(scene.states()) == {"sent": 4, "held": 1}


def test_a_status_that_brings_back_the_id_settles_what_was_unknown(scene: Scene) -> None:
    with scene.receiver.misbehaving(is_hanging_up=True):
        scene.go(*(scene.template(number) for number in range(3)))
    assert scene.states() == ["unknown"] * 3
    told = {scene.template(0).action_id: "read", scene.template(1).action_id: "failed"}
    serve(scene, "act_receipts", *((scene.tenant, each, status, NOW) for each, status in told.items()))
    assert scene.deliver().refreshed["settled_by_receipt"] == 2
    assert {row[0]: row[1] for row in scene.rows("action_id, state")} == {
        scene.template(0).action_id: "sent", scene.template(1).action_id: "rejected", scene.template(2).action_id: "unknown",
    }  # fmt: skip
    assert len(scene.receiver.requests) == 3


def test_an_outbox_that_was_restored_does_not_send_again_what_its_receipts_show(scene: Scene) -> None:
    ask_for(scene, scene.template(1))
    serve(scene, "act_receipts", (scene.tenant, scene.template(1).action_id, "accepted", NOW))
    scene.deliver()
    assert (scene.states(), scene.receiver.requests) == (["sent"], [])


def test_who_is_told_to_wait_lets_the_whole_lane_wait(scene: Scene) -> None:
    ask_for(scene, scene.template(1), scene.template(2), scene.alert(1))
    with scene.receiver.misbehaving(status=429, headers={"Retry-After": "3600"}):
        scene.deliver()
    assert len(scene.receiver.messages()) == 1  # the second was not even tried
    assert len(scene.receiver.alerts()) == 1
    with scene.state.begin() as connection:
        query = "select lane, closed_until - clock_timestamp() > interval '59 minutes' from ops.lanes where tenant_id = %s order by 1"
        waits = connection.exec_driver_sql(query, (scene.tenant,)).all()
    assert [tuple(row) for row in waits if row[1]] == [("webhook:hook", True), (f"whatsapp:{scene.tenant}-{NUMBER}", True)]


def test_what_is_down_takes_no_more_than_five_actions_into_doubt(scene: Scene) -> None:
    ask_for(scene, *(scene.template(number) for number in range(12)))
    with scene.receiver.misbehaving(status=500):
        scene.deliver()
        assert Counter(scene.states()) == {"unknown": 5, "requested": 7}
        with scene.state.begin() as connection:
            connection.exec_driver_sql("update ops.lanes set closed_until = clock_timestamp()")  # the half minute is over
        scene.deliver()
    assert Counter(scene.states()) == {"unknown": 6, "requested": 6}  # one went as a test
    with scene.state.begin() as connection:
        assert connection.exec_driver_sql("select failures from ops.lanes where tenant_id = %s", (scene.tenant,)).scalar() == 6
        connection.exec_driver_sql("update ops.lanes set closed_until = clock_timestamp()")
    scene.deliver()
    assert Counter(scene.states()) == {"unknown": 6, "sent": 6}


def test_a_lane_goes_at_its_rate_and_not_faster(scene: Scene) -> None:
    configure(scene, rates="{ channel: whatsapp, per_second: 20, burst: 4 }")
    ask_for(scene, *(scene.template(number) for number in range(12)))
    scene.deliver()
    times = [each.received_at for each in scene.receiver.messages()]
    assert scene.states() == ["sent"] * 12
    assert (times[-1] - times[0]).total_seconds() >= 8 / 20 - 0.05  # all but the burst
    for first in range(len(times)):  # the law of the bucket, with 50 ms for the way
        within = [each for each in times[first:] if (each - times[first]).total_seconds() < 0.2]
        assert len(within) <= 4 + 20 * 0.25 + 1


def test_a_tenant_with_one_action_does_not_wait_for_one_with_many(scene: Scene) -> None:
    ask_for(scene, *(scene.alert(number) for number in range(40)))
    other = f"{scene.tenant}b"
    apply_file(tenants_file(scene.folder, other, scene.receiver.url), scene.state, scene.vault, NOW, SECRETS)
    late = scene.alert(99)._replace(tenant_id=other, action_id=key_of("late"), due_at=NOW)
    scene.outbox.add([late], NOW)
    serve(
        scene,
        "act_requests",
        (late.action_id, other, None, None, None, "lead_leak", "notify", "webhook", None, "s", "t", "{}", NOW, late.expires_at),
    )
    scene.deliver()
    order = [each.headers["idempotency-key"] for each in scene.receiver.requests]
    assert order.index(late.action_id) <= 1
    assert (
        order[2:]
        == [each.action_id for each in sorted((scene.alert(n) for n in range(40)), key=lambda each: (each.due_at, each.action_id))][1:]
    )


def id_of(request: Request) -> str:
    return request.headers.get("idempotency-key") or request.json()["biz_opaque_callback_data"]


def test_two_worker_processes_and_sixty_four_runs_at_once_send_each_action_once(scene: Scene, settings: Settings) -> None:
    configure(scene, destinations=PEOPLE)
    ask_for(scene, *(scene.template(number) for number in range(60)), *(scene.alert(number) for number in range(60)))
    command = [sys.executable, "-m", "tests.assets.side_worker", str(settings.home), scene.state.libpq_url, scene.receiver.url]
    beside = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for each in beside:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    errors: list[BaseException] = []
    barrier = threading.Barrier(64)
    own = State(scene.state.libpq_url)

    def run(number: int) -> None:
        try:
            barrier.wait()
            ways = senders(SenderTools(scene.client, scene.lookup, scene.receiver.url))
            deliver(PostgresOutbox(own), ways, scene.receipts(), FixedClock(NOW), f"run {number}")
        except BaseException as error:  # noqa: BLE001 — a lock error in any of them must be seen
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(64)]
    for each in threads:
        each.start()
    told = [each.communicate("go\n", timeout=120) for each in beside]
    for thread in threads:
        thread.join()
    own.dispose()
    assert errors == []
    assert [each.returncode for each in beside] == [0, 0], told
    assert set(scene.states()) == {"sent"}
    assert len(scene.states()) == 60 + 2 * 60
    assert Counter(map(id_of, scene.receiver.requests)) == Counter(row[0] for row in scene.rows("action_id"))


@pytest.mark.parametrize("table", ["outbox", "delivery_attempts", "lanes"])
def test_a_tenants_role_sees_its_own_actions_and_can_neither_claim_nor_send_any(scene: Scene, table: str) -> None:
    scene.go(scene.alert(1))
    other = f"{scene.tenant}b"
    apply_file(tenants_file(scene.folder, other, scene.receiver.url), scene.state, scene.vault, NOW, SECRETS)

    def as_role(tenant: str, statement: str) -> list[tuple[object, ...]]:
        with scene.state.owner() as connection:
            connection.execute(f"set local role flexoraa_tenant_{tenant}")
            return connection.execute(statement).fetchall()

    assert len(as_role(scene.tenant, f"select tenant_id from ops.{table}")) == 1
    assert as_role(other, f"select tenant_id from ops.{table}") == []
    for role in (scene.tenant, other):
        for statement in (
            f"update ops.{table} set tenant_id = '{other}'",
            f"delete from ops.{table}",
            f"select from ops.{table} for update",
        ):
            with pytest.raises(Exception, match="permission denied"):
                as_role(role, statement)
