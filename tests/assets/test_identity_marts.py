"""Identity through the warehouse: what is accepted or revoked changes marts, taking it back restores them, and nothing is sent twice."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from assets.delivery import RULES, decide
from core.identity import Resolution, resolve
from core.identity_evidence import Decision, pair_id
from core.identity_holders import Link, Sighting
from orchestration.resources.clock import FixedClock
from orchestration.resources.serving import PostgresPublisher
from orchestration.resources.warehouse import Mart, Warehouse
from tests.core.identity_histories import KINDS, STRENGTHS, inputs, random_said
from tests.dbt.history_base import History
from tests.dbt.history_reference import add_reference
from tests.dbt.warehouse import at, build
from tests.oracles.identity import CHANGES, START
from tests.orchestration.effects import Scene

PROGRAMS = 12
AS_OF = at("2026-03-03 10:00")
PUBLISHED = ["act_requests", "dim_contact_points", "dim_lead_aliases", "dim_leads"]


class Told(NamedTuple):
    """What happened to all tenants, and what identity is told of it."""

    made: History
    sightings: list[Sighting]
    links: list[Link]
    kinds: dict[str, str]

    def resolved(self, decisions: list[Decision]) -> Resolution:
        return resolve(self.sightings, self.links, self.kinds, STRENGTHS, decisions)


class Built(NamedTuple):
    """A warehouse, built."""

    path: Path
    marts: dict[str, Mart]


def say(made: History, tenant: str, event: str, moment: Any, point: str, *, is_ours: bool = False) -> None:
    direction, author = ("outbound", "human") if is_ours else ("inbound", "lead")
    made.add(
        "messages", tenant, event, moment, message_id=event, channel="whatsapp", channel_account_id=f"{tenant}-106540352242922",
        contact_point_id=point, direction=direction, author_type=author, message_type="text",
    )  # fmt: skip


def programs(told: Told) -> None:
    """Random histories of some tenants, three weeks of them in a few minutes each."""
    for number in range(PROGRAMS):
        rng, tenant = random.Random(number), f"tenant_{number}"
        add_reference(told.made, tenant, "UTC", rng)
        history = [random_said(rng, rng.randint(0, 40), (tenant,)) for _ in range(14)]
        shift = at("2026-03-02 09:00") - START
        sightings, links = inputs(history)
        told.sightings.extend(
            each._replace(first_seen_at=each.first_seen_at + shift, signs=tuple(sign + shift for sign in each.signs)) for each in sightings
        )
        told.links.extend(each._replace(occurred_at=each.occurred_at + shift) for each in links)
        for place, each in enumerate(history):
            if each.kind == "message":
                say(told.made, tenant, f"m{place}", START + shift + timedelta(minutes=each.minute), each.point, is_ours=rng.random() < 0.3)


def write_and_build(folder: Path, told: Told, decisions: list[Decision]) -> Built:
    resolution = told.resolved(decisions)
    leads = {"lead_points": resolution.points, "lead_aliases": resolution.aliases, "lead_links": resolution.links}
    rows: dict[str, Any] = {**told.made.reference, **told.made.lake, **leads}
    kinds = ("unit_test",) if not decisions else ("unit_test", "test")  # tests once: they cost as much as the models
    build(folder, rows, AS_OF, *(word for kind in kinds for word in ("--exclude-resource-type", kind))).close()
    path = folder / "warehouse.duckdb"
    return Built(path, dict(Warehouse(path, folder, folder).fingerprints()))


@pytest.fixture
def told(scene: Scene) -> Iterator[Told]:
    """The random programs; and of the scene's tenant four leads, pairs of which turn out to be one."""
    scene.now = AS_OF
    told = Told(History(), [], [], dict(KINDS))
    programs(told)
    tenant, made = scene.tenant, told.made
    add_reference(made, tenant, "UTC", random.Random(1))
    points = {name: scene.point_of(f"+91987650000{number}") for number, name in enumerate(("older", "leaking", "silent", "owed"))}
    told.kinds.update(dict.fromkeys(points.values(), "phone"))
    say(made, tenant, "o1", at("2026-03-02 09:00"), points["older"])
    say(made, tenant, "o2", at("2026-03-02 09:01"), points["older"], is_ours=True)
    say(made, tenant, "l1", at("2026-03-03 09:05"), points["leaking"])
    say(made, tenant, "s1", at("2026-03-02 09:02"), points["silent"])
    say(made, tenant, "s2", at("2026-03-02 09:03"), points["silent"], is_ours=True)
    say(made, tenant, "w1", at("2026-03-02 09:04"), points["owed"])
    say(made, tenant, "w2", at("2026-03-02 09:06"), points["owed"], is_ours=True)
    first = {"older": "09:00", "silent": "09:02", "owed": "09:04"}
    told.sightings.extend(Sighting(tenant, points[name], at(f"2026-03-02 {clock}")) for name, clock in first.items())
    told.sightings.append(Sighting(tenant, points["leaking"], at("2026-03-03 09:05")))
    yield told


def merges(told: Told, scene: Scene) -> list[Decision]:
    """The scene's late merges; in each other tenant two random leads accepted and one random link of evidence revoked."""
    made: list[Decision] = []
    resolution = told.resolved([])
    for tenant in sorted({row.tenant_id for row in resolution.points} - {scene.tenant}):
        rng = random.Random(tenant)
        leads = sorted({row.lead_id for row in resolution.points if row.tenant_id == tenant})
        if len(leads) > 1:
            one, other = sorted(rng.sample(leads, 2))
            made.append(Decision(len(made) + 1, tenant, pair_id(tenant, one, other), "accepted", one, other, AS_OF))
        links = [row for row in resolution.links if row.tenant_id == tenant]
        if links:
            link = rng.choice(links)
            change = resolution.changes.get(link.link_id)
            ends = (change.point_id, change.other_point_id) if change else (link.one_id, link.other_id)
            made.append(Decision(len(made) + 1, tenant, link.link_id, "revoked", *ends, AS_OF))
    for one, other in ((0, 1), (2, 3)):
        leads = [f"lead_{scene.point_of(f'+91987650000{number}')[3:]}" for number in (one, other)]
        made.append(Decision(len(made) + 1, scene.tenant, pair_id(scene.tenant, *leads), "accepted", leads[0], leads[1], AS_OF))
    return made


def publish(scene: Scene, built: Built) -> int:
    """Publish, decide and deliver; how many requests were new."""
    PostgresPublisher(scene.state, Warehouse(built.path, scene.folder, scene.folder), FixedClock(scene.now)).publish(PUBLISHED, scene.now)
    new = sum(decide(scene.outbox, rule, "", FixedClock(scene.now))[0] for rule in RULES)
    scene.deliver()
    return new


def of_scene(scene: Scene) -> list[tuple[Any, ...]]:
    with scene.state.psycopg() as connection:
        query = "select rule, subject, trigger, lead_id, state from ops.outbox where tenant_id = %s order by 1, 2, 3"
        return connection.execute(query, (scene.tenant,)).fetchall()


def test_merges_and_revocations_taken_back_restore_every_mart_and_a_late_merge_sends_nothing_again(
    scene: Scene, told: Told, tmp_path: Path
) -> None:
    for table in CHANGES:
        assert any(link.kind == table for link in told.links)
    folder = tmp_path / "warehouse"
    folder.mkdir()
    before = write_and_build(folder, told, [])
    assert publish(scene, before) > PROGRAMS
    sent = of_scene(scene)
    silent = {("cold_recovery", "silence", trigger) for trigger in ("o2", "s2", "w2")}
    assert {row[:3] for row in sent} == {
        *silent,
        ("lead_leak", "no_reply", "l1"),
        ("sla_breach", "first_response", "l1"),
        ("sla_warning", "first_response", "l1"),
    }
    # the promise is broken already, so that there is nothing left to warn of
    assert {(row[4], row[0] == "sla_warning") for row in sent} == {("sent", False), ("expired", True)}
    arrived = len(scene.receiver.requests)

    decisions = merges(told, scene)
    merged = write_and_build(folder, told, decisions)
    differing = {name for name, mart in before.marts.items() if merged.marts[name] != mart}
    assert {"dim_contact_points", "dim_lead_aliases", "dim_leads", "fct_lead_links", "fct_messages", "fct_lead_leaks"} <= differing
    publish(scene, merged)  # what others' revocations bring about is new and theirs
    assert of_scene(scene) == sent
    assert len(scene.receiver.requests) == arrived

    opposite = {"accepted": "revoked", "revoked": "accepted"}
    undone = [each._replace(number=each.number + 1_000, verdict=opposite[each.verdict]) for each in decisions if each.verdict == "accepted"]
    kept = [each for each in decisions if each.verdict == "accepted"]
    assert write_and_build(folder, told, kept + undone).marts == before.marts


def test_who_opted_out_elsewhere_before_two_leads_turned_out_to_be_one_is_not_written_to(scene: Scene) -> None:
    waiting = scene.template(2)
    scene.publish([waiting])
    decide(scene.outbox, "cold_recovery", "", FixedClock(scene.now))
    scene.publish([waiting._replace(lead_id="l1")], opted_out=["l1"])  # the lead l2 is now part of l1, who opted out
    scene.deliver()
    assert [row[3:] for row in of_scene(scene)] == [("l2", "cancelled")]
    assert scene.receiver.requests == []


def test_a_lead_that_became_part_of_another_is_still_written_to_once(scene: Scene) -> None:
    waiting = scene.template(2)
    scene.publish([waiting])
    decide(scene.outbox, "cold_recovery", "", FixedClock(scene.now))
    scene.publish([waiting._replace(lead_id="l1")])
    assert decide(scene.outbox, "cold_recovery", "", FixedClock(scene.now))[0] == 0
    scene.deliver()
    assert [row[3:] for row in of_scene(scene)] == [("l2", "sent")]
    assert len(scene.receiver.requests) == 1
