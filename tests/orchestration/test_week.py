"""A simulated week of everything that time alone sets off: each at the first tick at or after its second, none twice, none missed.

The plans are the sensors' own (`core.plans`), the outbox is the real one; the clock is a list of ticks, on some of which the process dies.
"""

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from assets.actions import RULES
from core.actions import Action, Outcome, key_of
from core.notices import DIGEST, digest_action, digest_id, plan_digests
from core.plans import plan_delivery, plan_polls, plan_requests, poll_due_at
from core.pulling import Mailbox
from orchestration.resources.notices import PostgresNotices
from tests.orchestration.effects import Scene

START = datetime(2026, 10, 21, tzinfo=UTC)  # with the end of summer time in Europe on the 25th
TICK, DAY = timedelta(minutes=1), timedelta(days=1)
WEEK = 7 * DAY
ZONES = {"berlin": "Europe/Berlin", "kolkata": "Asia/Kolkata", "new_york": "America/New_York"}
EVERY = timedelta(minutes=5)


@dataclass
class Week:
    """One installation over a week. `cursors` is what Dagster keeps; everything else that is not in the outbox dies with the process."""

    scene: Scene
    planned: dict[str, list[Action]]
    rng: random.Random
    cursors: dict[str, str] = field(default_factory=dict)
    fired: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    known: dict[str, set[str]] = field(default_factory=dict)
    tried_at: datetime | None = None
    polls: list[datetime] = field(default_factory=list)
    waiting: bool = True

    def __post_init__(self) -> None:
        self.notices = PostgresNotices(self.scene.state, None)

    def start(self) -> None:
        """Begin or begin again: what is known is read from the outbox."""
        with self.scene.state.psycopg() as connection:
            rows = connection.execute("select rule, action_id from ops.outbox").fetchall()
        self.known = {rule: {action_id for own, action_id in rows if own == rule} for rule in (*RULES, DIGEST)}
        self.waiting = True

    def put(self, rule: str, actions: list[Action], now: datetime) -> None:
        assert self.scene.outbox.add(actions, now) == len(actions), "none twice"
        self.known[rule] |= {each.action_id for each in actions}
        for each in actions:
            self.fired[each.action_id].append(now)
        self.waiting |= bool(actions)

    def rules(self, now: datetime, death: str | None) -> None:
        """Every rule's sensor, once."""
        for rule, actions in self.planned.items():
            due = actions[: bisect_right(actions, now, key=lambda each: each.due_at)]
            plan = plan_requests(self.cursors.get(rule, ""), due, self.known[rule], now)
            if plan.actions and death == "before it adds":
                return
            if plan.actions:
                self.put(rule, list(plan.actions), now)
            if plan.actions and death == "before the cursor moves":
                return
            self.cursors[rule] = plan.cursor

    def digests(self, now: datetime) -> None:
        days = plan_digests(ZONES, self.known[DIGEST], now)
        if days:
            self.put(DIGEST, [digest_action(each, {}, DAY) for each in days], now)

    def poll(self, now: datetime) -> None:
        """The mailbox's sensor, and the run that it asks for, at once."""
        is_wanted, self.cursors["gmail"] = plan_polls(self.cursors.get("gmail", ""), [self.mailbox()], now, EVERY)
        if is_wanted:
            self.polls.append(now)
            self.tried_at = now

    def mailbox(self) -> Mailbox:
        return Mailbox("t", "mail", "a@b.example", self.tried_at, None)

    def deliver(self, now: datetime, death: str | None) -> None:
        """The sensor of deliveries, and the run that it asks for, unless that is lost; some tries are told to wait."""
        if not self.waiting or not plan_delivery(self.notices.backlog(now), [], now) or death == "the run is lost":
            return
        while claimed := self.scene.outbox.claim("w", now, 50):
            for each in claimed:
                is_told_to_wait = each.attempt == 1 and self.rng.random() < 0.1
                outcome = Outcome("requested", "told to wait: HTTP 429", 429) if is_told_to_wait else Outcome("sent", "accepted", 200)
                assert self.scene.outbox.settle(each, outcome, now)
                if not is_told_to_wait:
                    self.sent[each.action.action_id].append(now)
        self.waiting = "requested" in self.scene.states()


def test_in_a_week_each_fires_at_its_second_once_and_none_is_missed_across_restarts(scene: Scene) -> None:
    rng = random.Random(20261021)
    planned = {rule: sorted((_action(scene, rule, number, rng) for number in range(8)), key=lambda each: each.due_at) for rule in RULES}
    week = Week(scene, planned, rng)
    ticks = [START + step * TICK for step in range(WEEK // TICK)]
    dues = [each.due_at for actions in planned.values() for each in actions]
    # the process dies on a third of the ticks that have something to do, and is down for up to half an hour
    deaths = {
        _next(ticks, due): rng.choice(("before it adds", "before the cursor moves", "the run is lost"))
        for due in rng.sample(dues, len(dues) // 3)
    }
    down_until, alive = START, []
    week.start()
    for now in ticks:
        if now < down_until:
            continue
        if now == down_until:
            week.start()
        death = deaths.get(now)
        if death != "before it adds":
            alive.append(now)
        week.rules(now, death)
        week.digests(now)
        week.poll(now)
        week.deliver(now, death)
        if death:
            down_until = now + rng.choice((0, 1, 2, 30)) * TICK + TICK
            week.cursors = dict(week.cursors) if rng.random() < 0.8 else {}
    last = next(now for now in reversed(alive) if now not in deaths)

    by_id = {each.action_id: each for actions in planned.values() for each in actions}
    due = {name: each for name, each in by_id.items() if each.due_at <= last}
    # at a death among the rules' sensors some had their turn before it and some had not
    lived, on_time = set(alive), 0
    clean = [now for now in alive if deaths.get(now) != "before the cursor moves"]
    for name, each in due.items():
        [fired] = week.fired[name]
        assert each.due_at <= fired <= clean[bisect_left(clean, each.due_at)], each
        assert fired == alive[bisect_left(alive, each.due_at)] or fired in deaths or deaths.get(_next(ticks, each.due_at)), each
        [sent] = week.sent[name]
        between = ticks[bisect_left(ticks, fired) : bisect_right(ticks, sent)]
        assert 0 * TICK <= sent - fired <= 2 * TICK or not lived.issuperset(between) or any(each in deaths for each in between), each
        on_time += fired - each.due_at < TICK and sent == fired
    assert 0.5 * len(due) < on_time < len(due)
    assert len(due) > 0.95 * len(by_id)
    assert set(week.sent) == set(week.fired) == {*due, *_digests(last)}
    assert len(deaths) > 30


def _next(ticks: list[datetime], moment: datetime) -> datetime:
    return ticks[min(bisect_left(ticks, moment), len(ticks) - 1)]


def _action(scene: Scene, rule: str, number: int, rng: random.Random) -> Action:
    due_at = START + timedelta(seconds=rng.randrange(7 * 86_400))
    if number % 3 == 0:  # exactly on a tick, so that several tie
        due_at = START + rng.randrange(7 * 24) * timedelta(hours=1)
    return scene.alert(
        number, rule=rule, action_id=key_of(scene.tenant, rule, str(number)), due_at=due_at, expires_at=due_at + DAY, trigger=str(number)
    )


def _digests(last: datetime) -> set[str]:
    """Those of every morning: by trying every minute of the week and a bit before it, with nothing known."""
    return {digest_id(each) for step in range(0, (last - START) // TICK + 1, 10) for each in plan_digests(ZONES, (), START + step * TICK)}


def test_in_a_week_every_morning_has_one_digest_and_no_mailbox_waits_longer_than_it_should(scene: Scene) -> None:
    week = Week(scene, {}, random.Random(7))
    week.start()
    mornings: list[tuple[str, datetime]] = []
    for step in range(WEEK // TICK):
        now = START + step * TICK
        for each in plan_digests(ZONES, week.known[DIGEST], now):
            week.known[DIGEST].add(digest_id(each))
            mornings.append((each.tenant_id, now))
        due_at = poll_due_at(week.mailbox(), EVERY)
        week.poll(now)
        assert (week.polls[-1] == now) == (due_at <= now)
    eight = {("berlin", day): 6 if day < 25 else 7 for day in range(21, 28)} | {("new_york", day): 12 for day in range(21, 28)}
    expected = [(tenant, datetime(2026, 10, day, hour, tzinfo=UTC)) for (tenant, day), hour in eight.items()]
    expected += [("kolkata", datetime(2026, 10, day, 2, 30, tzinfo=UTC)) for day in range(21, 28)]
    first = [(tenant, START) for tenant in ZONES]  # before the first morning: the digest of the day before
    assert sorted(mornings) == sorted(expected + first)
    assert len(week.polls) == WEEK // EVERY
