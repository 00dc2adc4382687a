"""Many at once: lanes keep their rates, tenants take turns, workers share nothing, and no tenant's role touches another's."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from assets.delivery import deliver
from core.actions import key_of
from orchestration.receiver import Request
from orchestration.resources.clock import FixedClock
from orchestration.resources.notices import PostgresNotices
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from tests.assets.delivering import PEOPLE, ask_for, configure, serve
from tests.orchestration.effects import NOW, NUMBER, SECRETS, Scene, tenants_file

ROOT = Path(__file__).resolve().parents[2]


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
        notices = PostgresNotices(scene.state, None)
        waiting = notices.backlog(NOW).ready
        with scene.state.begin() as connection:
            connection.exec_driver_sql("update ops.lanes set closed_until = clock_timestamp() where tenant_id = %s", (scene.tenant,))
        assert notices.backlog(NOW).ready == waiting + 7  # the half minute is over; before, nothing asked for a run
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
