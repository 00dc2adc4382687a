"""Death at every boundary: whatever is broken off there, the server's own record and the outbox agree after a restart."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, product
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from assets.delivery import deliver
from core.actions import Action, key_of
from orchestration.receiver import Receiver, Request
from orchestration.resources.clock import FixedClock
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from tests.assets.crashing import Boundaries, DiedError, WatchedReceipts, WatchedTransport
from tests.orchestration.effects import NOW, NUMBER, Scene

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("template", "text", "alert", "callback")
MOODS: dict[str, dict[str, Any] | None] = {
    "well": None,
    "told to wait": {"status": 429},
    "down": {"status": 500},
    "hanging up": {"is_hanging_up": True},
    "refusing": {"status": 400},
    "babbling": {"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{broken!!"},
    "unkind lead": None,
}
DESTINATIONS = """
      - { id: people, kind: alerts, url: URL/hook/people, valid_from: 2026-01-01T00:00:00Z }
      - { id: system, kind: callback, url: URL/callback/system, valid_from: 2026-01-01T00:00:00Z }
"""
TENANT = """
    texts:
      - { name: hello, text: Hello again, valid_from: 2026-01-01T00:00:00Z }
"""


def id_of(request: Request) -> str:
    return request.headers.get("idempotency-key") or request.json()["biz_opaque_callback_data"]


@dataclass
class Stage:
    """One tenant, two alert destinations and a callback; actions are put straight into outbox and marts, for there are many."""

    scene: Scene
    boundaries: Boundaries
    ways: Any
    point_id: str
    raw: psycopg.Connection
    lives: int = 0
    number: int = 0

    def publish(self, kind: str, mood: str, count: int) -> list[Action]:
        """So many wanted actions of one kind, all due; of an unkind lead if need be."""
        made = []
        for _ in range(count):
            self.number += 1
            lead, name = f"l{self.number}", f"{kind}-{mood}-{self.number}"
            common: dict[str, object] = {
                "action_id": key_of(self.scene.tenant, name),
                "lead_id": lead,
                "trigger": name,
                "due_at": NOW - timedelta(days=1),
            }
            common["expires_at"] = NOW + timedelta(days=99_999)
            own = {"text": {"kind": "send_text", "template_name": "hello"}, "callback": {"kind": "pause", "rule": "token_threshold"}}.get(
                kind, {}
            )
            if kind in ("template", "text"):
                made.append(self.scene.template(1, **(common | {"point_id": self.point_id} | own)))
            else:
                made.append(self.scene.alert(1, **(common | own)))
        names = (
            "action_id",
            "tenant_id",
            "lead_id",
            "point_id",
            "account_id",
            "rule",
            "kind",
            "channel",
            "template_name",
            "subject",
            "trigger",
            "details",
            "due_at",
            "expires_at",
        )
        with self.raw.cursor() as cursor:
            cursor.executemany(
                f"insert into serving.act_requests ({', '.join(names)}) values ({', '.join(['%s'] * len(names))})",
                [[getattr(each, name) for name in names] for each in made],
            )
            held = [(each.tenant_id, self.point_id, each.lead_id, NOW - timedelta(days=1)) for each in made]
            cursor.executemany("insert into serving.dim_contact_points values (%s, %s, %s, 'phone', %s, null)", held)
            if mood == "unkind lead":
                cursor.executemany(
                    "insert into serving.dim_leads values (%s, %s, true, false, 1)", [(each.tenant_id, each.lead_id) for each in made]
                )
        return made

    def live(self, mood: str, at: int | None) -> list[str]:
        """Three hours after the last life: deliver until the boundary; returns those that were crossed."""
        self.lives += 1
        self.raw.execute("update ops.lanes set failures = 0, closed_until = null")  # breakers are tested elsewhere
        receipts = WatchedReceipts(self.scene.inbox, self.scene.lookup)
        receipts.boundaries = self.boundaries
        clock, bad = FixedClock(NOW + timedelta(hours=3 * self.lives)), MOODS[mood]
        with self.scene.receiver.misbehaving(**bad) if bad else nullcontext():
            self.boundaries.begin(at)
            try:
                deliver(PostgresOutbox(self.scene.state, timedelta(0)), self.ways, receipts, clock, "mortal")
            except DiedError:
                receipts.abandon()
        names = self.boundaries.names
        self.boundaries.begin(None)
        return names

    def is_waiting(self) -> bool:
        """Whether anything is left to try."""
        return bool(self.raw.execute("select exists (select from ops.outbox where state in ('requested', 'claimed'))").fetchone()[0])  # type: ignore[index]

    def states(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.scene.rows("action_id, state")}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, settings: Settings, state: State) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("crash")
    own = State(state.libpq_url)  # with hooks of its own
    boundaries = Boundaries()
    boundaries.watch(own)
    with own.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox; delete from ops.lanes")
    for path in settings.inbox.iterdir():
        path.unlink()
    with Receiver(folder / "record.ndjson") as receiver, httpx.Client(timeout=5, transport=WatchedTransport(boundaries)) as client:
        scene = Scene(
            f"crash{folder.name[-1]}",
            folder,
            settings.inbox,
            own,
            Vault(own, settings.master_key()),
            receiver,
            client,
            more=TENANT,
            destinations=DESTINATIONS,
        )
        point_id = scene.point_of("+919876500001")
        with own.begin() as connection:
            connection.exec_driver_sql(
                "insert into serving.fct_messaging_windows values (%s, %s, %s, 'whatsapp', 'service', %s, %s)",
                (scene.tenant, point_id, f"{scene.tenant}-{NUMBER}", NOW - timedelta(days=1), NOW + timedelta(days=99_999)),
            )
        tools = SenderTools(client, scene.lookup, receiver.url)
        with psycopg.connect(state.libpq_url, autocommit=True) as raw:
            yield Stage(scene, boundaries, senders(tools), point_id, raw)
    own.dispose()


def die_everywhere(stage: Stage, kinds: Sequence[str], mood: str) -> int:
    """Each life dies one boundary later than the last one; the next is its restart. Returns how many boundaries there were.

    Every life finds actions of these kinds that were never tried, or what the last one left. It dies where one more action makes a
    difference: as many boundaries as the kinds but the last one have go by unharmed.
    """
    waiting = [iter(stage.publish(kind, mood, 120)) for kind in kinds]
    skipped = 0
    if len(kinds) > 1:
        stage.scene.outbox.add([next(each) for each in waiting[:-1]], NOW)
        skipped = len(stage.live(mood, None))
    stage.scene.outbox.add([next(each) for each in waiting], NOW)
    enumerated = len(stage.live(mood, None))
    for number in range(skipped + 1, enumerated + 1):
        if len(kinds) > 1 or not stage.is_waiting():
            stage.scene.outbox.add([next(each) for each in waiting], NOW)
        crossed = len(stage.live(mood, number))
        assert crossed <= number  # less where what was left was cut short already
    stage.live("well", None)
    stage.live("well", None)
    return enumerated - skipped


def judge(stage: Stage) -> Counter[str]:
    """The outbox against the server's own record; returns how often each state came."""
    scene = stage.scene
    requests = scene.receiver.requests
    good = Counter(id_of(each) for each in requests if each.status in (200, 204))
    maybe = Counter(id_of(each) for each in requests if each.status not in (200, 204, 400, 429))
    rows = scene.rows("action_id, kind, channel, state, reason")
    for action_id, kind, channel, state, reason in rows:
        done = good[action_id] + maybe[action_id]
        where = (action_id, kind, channel, state, reason, done)
        assert state in ("sent", "unknown", "rejected", "cancelled"), where  # none is lost on the way
        if channel == "callback":
            assert state in ("sent", "rejected", "cancelled"), where  # a key makes doubt harmless: it is asked for again
            assert state != "sent" or done >= 1, where
        else:
            assert done <= 1, where
            assert state != "sent" or good[action_id] == 1, where
            assert state not in ("rejected", "cancelled") or done == 0, where
    assert {id_of(each) for each in requests} <= {row[0] for row in rows}
    return Counter(row[3] for row in rows)


def settle(stage: Stage) -> None:
    """Status webhooks bring back the ids of what the server has taken, and the next round settles what was unknown."""
    scene = stage.scene
    taken = {id_of(each) for each in scene.receiver.requests if each.status in (200, 204)}
    doubtful = [row[0] for row in scene.rows("action_id, state") if row[1] == "unknown"]
    with scene.state.psycopg() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into serving.act_receipts values (%s, %s, 'delivered', %s)",
            [(scene.tenant, each, NOW) for each in doubtful if each in taken],
        )
    stage.live("well", None)
    after = stage.states()
    assert {each: after[each] for each in doubtful} == {each: "sent" if each in taken else "unknown" for each in doubtful}
    assert {each for each in doubtful if each in taken}


def test_death_at_each_of_a_thousand_boundaries_repeats_nothing_and_loses_nothing(stage: Stage) -> None:
    assert sum(die_everywhere(stage, [kind], mood) for kind in KINDS for mood in MOODS) >= 1_000
    states = judge(stage)
    assert min(states[each] for each in ("sent", "unknown", "rejected", "cancelled")) >= 10
    settle(stage)


@pytest.mark.large
@pytest.mark.timeout(14_400)
def test_death_at_each_of_a_hundred_thousand_boundaries(stage: Stage) -> None:
    """Lives of two, three, four actions in every order of their kinds. FLEXORAA_CRASH_POINTS stops earlier, to see how fast it goes."""
    wanted, seen, begun = int(os.environ.get("FLEXORAA_CRASH_POINTS", "100000")), 0, time.monotonic()
    for world, (kinds, mood) in enumerate(product(chain.from_iterable(product(KINDS, repeat=n) for n in range(2, 7)), MOODS)):
        seen += die_everywhere(stage, kinds, mood)
        if world % 100 == 0 or seen >= wanted:
            judge(stage)
            print(f"{seen:,} boundaries of {world + 1} worlds, {seen / (time.monotonic() - begun):.0f} a second")
        if seen >= wanted:
            return
    raise AssertionError(f"there are only {seen:,} boundaries")


def test_fifty_workers_killed_with_signal_nine_repeat_nothing_and_lose_nothing(stage: Stage, settings: Settings) -> None:
    requests = len(stage.scene.receiver.requests)
    made = [each for kind in KINDS for each in stage.publish(kind, "well", 30)]
    stage.scene.outbox.add(made, NOW)
    numbers = [str(1 + 3 * number % 61) for number in range(54)]
    command = [
        sys.executable,
        "-m",
        "tests.assets.dying_worker",
        str(settings.home),
        stage.scene.state.libpq_url,
        stage.scene.receiver.url,
        *numbers,
    ]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)
    assert died.stdout.splitlines() == [f"{number}: 9" for number in numbers], died.stderr
    stage.live("well", None)
    states = judge(stage)
    sent = Counter(id_of(each) for each in stage.scene.receiver.requests[requests:])
    assert {each.action_id for each in made if stage.states()[each.action_id] == "sent"} <= set(sent)
    assert states["unknown"] >= 5
    settle(stage)
