"""Where an action goes: every destination of its kind, the operating system's callback, and people besides."""

from collections import Counter
from datetime import timedelta

from tests.assets.delivering import PEOPLE, SYSTEM, configure
from tests.orchestration.effects import NOW, Scene


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
