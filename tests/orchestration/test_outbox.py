"""The outbox: every action once, one worker at a time, and no doubt hidden."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy

from assets.delivery import decide
from core.actions import Delivery, Outcome
from orchestration.resources.outbox import PostgresOutbox
from tests.orchestration.effects import NOW, FixedClock, Scene

SENT = Outcome("sent", "accepted", 200, "wamid.very-plain-id", "aa", "bb")
AT_ONCE = timedelta(0)


def in_threads(count: int, work) -> list:  # type: ignore[no-untyped-def,type-arg]
    """What each of `count` threads returns, all let go at once."""
    barrier, results = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        results.append(work(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(results) == count
    return results


def test_an_action_is_put_in_once(scene: Scene) -> None:
    first = scene.alert(1)
    assert scene.outbox.add([first, scene.alert(2)], NOW) == 2
    assert scene.outbox.add([first._replace(details='{"other": 1}'), scene.alert(3), scene.alert(3)], NOW) == 1
    assert scene.outbox.add([], NOW) == 0
    assert scene.outbox.known([scene.alert(number).action_id for number in (0, 1, 3)]) == {
        scene.alert(number).action_id for number in (1, 3)
    }
    assert scene.outbox.known([]) == set()
    assert scene.rows("details->>'attempt'") == [("1",)] * 3


def test_a_tick_reads_what_is_new_and_not_all_that_ever_was(scene: Scene) -> None:
    old, new = [scene.alert(number) for number in range(200)], [scene.alert(number) for number in range(200, 203)]
    scene.publish([*old, *new])
    scene.outbox.add(old, NOW)
    read: list[int] = []

    def count(*told: object) -> None:
        cursor, statement = told[1], str(told[2])
        if statement.startswith("select"):
            read.append(cursor.rowcount)  # type: ignore[attr-defined]

    sqlalchemy.event.listen(scene.state.engine, "after_cursor_execute", count)
    try:
        ticks = [decide(scene.outbox, "lead_leak", "", FixedClock(NOW))[0] for _ in range(2)]
    finally:
        sqlalchemy.event.remove(scene.state.engine, "after_cursor_execute", count)
    assert ticks == [3, 0]
    # of the first tick: whether there is a mart, the three, and which of them are known; of the second: whether there is a mart
    assert read == [1, 3, 0, 1, 0]


def test_of_many_who_put_the_same_in_at_once_each_counts_only_its_own(scene: Scene) -> None:
    actions = [scene.alert(number) for number in range(60)]
    counts = in_threads(8, lambda number: scene.outbox.add(actions[:: -1 if number % 2 else 1], NOW))
    assert sum(counts) == 60
    assert len(scene.rows("action_id")) == 60


def test_sixteen_workers_never_share_an_action(scene: Scene) -> None:
    actions = [scene.alert(number) for number in range(250)]
    scene.outbox.add(actions, NOW)

    def work(number: int) -> list[str]:
        outbox, claimed = PostgresOutbox(scene.state), []
        while batch := outbox.claim(f"w{number}", NOW, 1 + number % 7):
            assert len(batch) <= 1 + number % 7
            claimed += [each.action.action_id for each in batch]
            for each in batch:
                assert outbox.settle(each, SENT, NOW)
        return claimed

    shares = in_threads(16, work)
    taken = Counter(action_id for share in shares for action_id in share)
    assert taken == Counter(each.action_id for each in actions)
    assert scene.rows("state, attempts, fence") == [("sent", 1, 1)] * 250
    assert len(scene.rows("action_id", "delivery_attempts")) == 250


def test_two_workers_share_out_and_the_oldest_comes_first(scene: Scene) -> None:
    actions = [scene.alert(number, due_at=NOW - timedelta(minutes=number)) for number in range(6)]
    scene.outbox.add(actions, NOW)
    first, second = scene.outbox.claim("w1", NOW, 4), scene.outbox.claim("w2", NOW, 4)
    assert [each.action.subject for each in (*first, *second)] == ["l5", "l4", "l3", "l2", "l1", "l0"]
    assert scene.outbox.claim("w3", NOW, 4) == []


def test_an_action_comes_back_from_the_outbox_as_it_went_in(scene: Scene) -> None:
    wanted = scene.template(1)
    scene.outbox.add([wanted], NOW)
    assert scene.outbox.claim("w1", NOW, 1) == [Delivery(wanted, 1, 1)]


def test_what_is_not_due_waits_and_what_is_due_this_moment_does_not(scene: Scene) -> None:
    scene.outbox.add([scene.alert(1, due_at=NOW), scene.alert(2, due_at=NOW + timedelta(microseconds=1))], NOW)
    assert [each.action.subject for each in scene.outbox.claim("w1", NOW, 9)] == ["l1"]


def test_after_its_lease_an_action_is_unknown_and_its_late_worker_records_nothing(scene: Scene) -> None:
    scene.lease = AT_ONCE
    scene.outbox.add([scene.alert(1), scene.alert(2)], NOW)
    [late] = scene.outbox.claim("w1", NOW, 1)
    [other] = scene.outbox.claim("w2", NOW, 1)
    assert other.action != late.action
    assert scene.states() == ["unknown", "claimed"]
    assert not scene.outbox.settle(late, SENT, NOW)
    assert scene.states() == ["unknown", "claimed"]
    assert scene.rows("outcome, detail, finished_at", "delivery_attempts")[0] == ("unknown", "the worker died during the try", NOW)


def test_within_its_lease_an_action_stays_with_its_worker(scene: Scene) -> None:
    scene.outbox.add([scene.alert(1)], NOW)
    [held] = scene.outbox.claim("w1", NOW, 1)
    assert scene.outbox.claim("w2", NOW + timedelta(days=9), 1) == []
    assert scene.states() == ["claimed"]
    assert scene.outbox.settle(held, SENT, NOW)


def test_an_unknown_action_is_never_claimed_again(scene: Scene) -> None:
    scene.lease = AT_ONCE
    scene.outbox.add([scene.alert(1)], NOW)
    scene.outbox.claim("w1", NOW, 1)
    assert [scene.outbox.claim("w2", NOW + timedelta(days=day), 5) for day in range(3)] == [[], [], []]
    assert scene.states() == ["unknown"]


@pytest.mark.parametrize("final", ["sent", "rejected", "unknown", "expired", "cancelled"])
def test_an_outcome_is_recorded_once_and_ends_the_matter(scene: Scene, final: str) -> None:
    scene.outbox.add([scene.alert(1)], NOW)
    [held] = scene.outbox.claim("w1", NOW, 1)
    outcome = Outcome(final, "why", 500, "wamid.x", "aa", "bb")  # type: ignore[arg-type]
    assert scene.outbox.settle(held, outcome, NOW)
    assert not scene.outbox.settle(held, SENT, NOW)
    assert scene.rows("state, reason, lease_owner, lease_until") == [(final, "why", None, None)]
    found = scene.rows("outcome, status_code, request_sha256, response_sha256, detail, finished_at", "delivery_attempts")
    assert found == [(final, 500, "aa", "bb", "why", NOW)]
    assert scene.outbox.claim("w2", NOW, 1) == []
    assert scene.outbox.counts()[scene.tenant, "lead_leak", final] == 1


def test_sixteen_workers_after_a_mass_death_call_each_lost_action_unknown_once(scene: Scene) -> None:
    scene.lease = AT_ONCE
    scene.outbox.add([scene.alert(number) for number in range(100)], NOW)
    assert len(scene.outbox.claim("dead", NOW, 100)) == 100
    assert in_threads(16, lambda number: PostgresOutbox(scene.state).claim(f"w{number}", NOW, 5)) == [[]] * 16
    assert scene.rows("state, fence") == [("unknown", 2)] * 100


def test_the_outbox_holds_no_person_and_no_id_of_the_provider(scene: Scene) -> None:
    scene.publish([scene.template(7)])
    scene.outbox.add([scene.template(7)], NOW)
    scene.deliver()
    text = str([scene.rows("*"), scene.rows("*", "delivery_attempts")])
    wamid = scene.receiver.messages()[0].json()
    assert wamid["to"] == "919876500007"
    assert scene.states() == ["sent"]
    for plain in ("9876500007", "wamid", "whatsapp-token", "hook-secret"):
        assert plain not in text
    [(request, response)] = scene.rows("request_sha256, response_sha256", "delivery_attempts")
    assert len(request) == len(response) == 64


def test_nothing_is_published_before_the_first_publication(scene: Scene) -> None:
    with scene.state.begin() as connection:
        connection.exec_driver_sql("drop table serving.act_requests")
    assert scene.outbox.published("lead_leak", NOW) == []
    scene.publish([scene.alert(1, due_at=NOW), scene.alert(2, due_at=NOW + timedelta(seconds=1))])
    assert [each.subject for each in scene.outbox.published("lead_leak", NOW)] == ["l1"]
    assert scene.outbox.published("lead_leak", NOW)[0]._replace(details="") == scene.alert(1, due_at=NOW)._replace(details="")
