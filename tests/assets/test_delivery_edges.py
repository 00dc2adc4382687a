"""What changes between the wish and the send: numbers, suspensions, wallets, hours, receipts; with real adapters against a local receiver."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import text

from tests.assets.delivering import SYSTEM, ask_for, configure, limit, reason, serve
from tests.orchestration.effects import NOW, NUMBER, Scene


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
    assert sorted(_without_reroutes(scene)) == ["held", "sent"]  # of the account, though the message goes from its number
    assert [row[1:] for row in scene.rows("state, reason, release") if row[0] == "held"] == [
        ("the account is suspended: DISABLE", "the account is reinstated")
    ]
    assert scene.deliver().outcomes == {}  # nothing new was published
    with scene.state.begin() as connection:
        connection.exec_driver_sql("update serving.act_suspensions set until_at = since_at + interval '59 minutes'")
    serve(scene, "act_suspensions")
    scene.deliver()
    assert _without_reroutes(scene) == ["sent", "sent"]
    assert len(scene.receiver.messages()) == 1


def _without_reroutes(scene: Scene) -> list[str]:
    return [state for rule, state in scene.rows("rule, state") if rule != "suspension_reroute"]


def _reroutes(scene: Scene) -> list[dict[str, object]]:
    """What the tenant's systems and people got of them."""
    return [each.json() for each in scene.receiver.requests if each.json().get("rule") == "suspension_reroute"]


def test_the_lead_of_a_suspended_account_goes_on_where_it_can_be_answered_or_with_a_person_once_a_suspension(scene: Scene) -> None:
    configure(scene, destinations=SYSTEM)
    two = scene.template(3, lead_id=scene.template(1).lead_id, point_id=scene.template(1).point_id)
    ask_for(scene, scene.template(1), scene.template(2, lead_id="l2"), two)
    page = f"{scene.tenant}-page"
    window = (scene.tenant, scene.template(1).point_id, page, "messenger", "service", NOW - timedelta(hours=1), NOW + timedelta(hours=23))
    serve(scene, "fct_messaging_windows", window)
    ban = (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "account", None, "DISABLE", NOW - timedelta(hours=1), None)
    serve(scene, "act_suspensions", ban)
    scene.deliver()
    assert _without_reroutes(scene) == ["held"] * 3
    told = _reroutes(scene)
    assert len(told) == 4  # two leads, and of each the system and the people; the second message of the first asks for nothing new
    found = {each["lead_id"]: (each["details"]["route"], each["details"]["channels"]) for each in told}  # type: ignore[index]
    assert found == {"l1": ("another_channel", ["messenger"]), "l2": ("human_now", [])}
    serve(scene, "act_suspensions")
    scene.deliver()
    assert len(_reroutes(scene)) == 4  # judged anew and held again: once all the same
    scene.publish([scene.template(1)])  # reinstated, and suspended again, and the page with it
    serve(scene, "fct_messaging_windows", window)
    serve(scene, "act_suspensions", (*ban[:6], NOW, None), (scene.tenant, page, "messenger", "account", None, "block", NOW, None))
    scene.deliver()
    last = _reroutes(scene)[4:]
    assert [(each["lead_id"], each["details"]["route"]) for each in last] == [("l1", "human_now")] * 2  # type: ignore[index]


def test_a_reroute_is_dropped_when_what_waited_is_not_wanted_any_more(scene: Scene) -> None:
    ask_for(scene, scene.template(1))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "account", None, "DISABLE", NOW, None))
    with scene.receiver.misbehaving(status=429):
        scene.deliver()
    assert dict(scene.rows("rule, state")) == {"cold_recovery": "held", "suspension_reroute": "requested"}
    scene.publish([])  # the lead wrote
    scene.now = NOW + timedelta(minutes=5)
    scene.deliver()
    scene.now = NOW + timedelta(minutes=10)
    scene.deliver()
    assert dict(scene.rows("rule, state")) == {"cold_recovery": "cancelled", "suspension_reroute": "cancelled"}


def test_a_restriction_ends_by_itself_at_its_moment(scene: Scene) -> None:
    ends = NOW + timedelta(hours=1)
    ask_for(scene, scene.template(1))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-{NUMBER}", "whatsapp", "number", None, "RESTRICTION", NOW, ends))
    for moment, state in ((NOW, "held"), (ends - timedelta(microseconds=1), "held"), (ends, "sent")):
        scene.now = moment
        scene.deliver()
        assert _without_reroutes(scene) == [state]


def test_a_paused_template_waits_and_another_goes(scene: Scene) -> None:
    ask_for(scene, scene.template(1), scene.template(2, template_name="other"))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "template", "recovery_1", "PAUSED", NOW, None))
    scene.deliver()
    found = {row[0]: row[1] for row in scene.rows("coalesce(template_name, rule), state")}
    assert found == {"recovery_1": "held", "other": "sent", "suspension_reroute": "sent"}


def test_a_held_action_expires_at_its_time_and_says_what_held_it(scene: Scene) -> None:
    ends = NOW + timedelta(hours=1)
    ask_for(scene, scene.template(1, expires_at=ends))
    serve(scene, "act_suspensions", (scene.tenant, f"{scene.tenant}-waba", "whatsapp", "account", None, "DISABLE", NOW, None))
    scene.deliver()
    assert _without_reroutes(scene) == ["held"]
    scene.now = ends
    scene.deliver()
    found = [row[1:] for row in scene.rows("rule, state, reason") if row[0] == "cold_recovery"]
    assert found == [("expired", "its time is over; it was held: the account is suspended: DISABLE")]


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
