"""Service-level clocks by walking each lead's events in time; business hours come as spans (`tests.oracles.hours`).

Here belong when clocks start, stop and pause, and what they come to. It shares no code with the SQL nor with `core.business_time`.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracles.common import Holders, Row, by_lead, in_order
from tests.oracles.conversations import threads
from tests.oracles.hours import Span

Tiers = dict[tuple[str, str], list[tuple[datetime, str]]]
ENDS = ("resolved", "won", "lost", "opted_out")
MICRO = timedelta(microseconds=1)
ZERO = timedelta()


@dataclass
class Clock:
    """One clock while it is walked: `stretches` are (counts, since), each until the next or the stop."""

    tenant: str
    metric: str
    trigger: str
    lead: str
    tier: str | None
    policy: Any
    finding: str | None
    since: datetime
    stretches: list[tuple[bool, datetime, str]] = field(default_factory=list)
    stopped_at: datetime | None = None
    stop: tuple[str, str | None] | None = None

    @property
    def counts_bots(self) -> bool:
        return bool(self.policy and self.policy.is_bot_reply_counted)

    @property
    def is_counting(self) -> bool:
        return self.stretches[-1][0]

    def turn(self, counts: bool, at: datetime, event_id: str) -> None:
        """Count, or pause, from now on."""
        if self.stopped_at is None and counts != self.is_counting:
            self.stretches.append((counts, at, event_id))

    def end(self, at: datetime, reason: str, event_id: str | None) -> None:
        """Stop, unless it has stopped."""
        if self.stopped_at is None:
            self.stopped_at, self.stop = at, (reason, event_id)

    def parts(self, until: datetime) -> Iterator[tuple[bool, datetime, datetime, str]]:
        """(counts, from, to, event) of each stretch."""
        ends = [since for _, since, _ in self.stretches[1:]] + [until]
        for (counts, since, event_id), to in zip(self.stretches, ends, strict=True):
            yield counts, since, to, event_id


class Walk:
    """All clocks of a history."""

    def __init__(
        self,
        sla_policies: Iterable[Any],
        calendars: dict[tuple[str, str], list[Span]],
        tiers: Tiers,
        gap_at: Callable[..., timedelta | None],
    ):
        self._policies: dict[tuple[str, str], list[Any]] = {}
        for policy in sla_policies:
            self._policies.setdefault((policy.tenant_id, policy.metric), []).append(policy)
        self._calendars, self._tiers, self.gap_at = calendars, tiers, gap_at
        self.clocks: list[Clock] = []

    def start(self, metric: str, row: Row, lead: str, waits: tuple[bool, bool] = (False, False)) -> Clock | None:
        """A clock, if anything is promised; not where the wait for any reply, or for a person's, runs already."""
        tenant, at = row["tenant_id"], row["occurred_at"]
        tier = next((name for since, name in reversed(self._tiers.get((tenant, lead), [])) if since <= at), None)
        begun = [each for each in self._policies.get((tenant, metric), []) if each.tier in (tier, "ANY") and each.valid_from <= at]
        if not begun:
            return None
        valid = [each for each in begun if each.valid_to is None or at < each.valid_to]
        own = [each for each in valid if each.tier == tier] or valid
        policy = max(own, key=lambda each: each.valid_from, default=None)
        if waits[0] if policy is None or policy.is_bot_reply_counted else waits[1]:
            return None
        finding = "no_policy" if not own else "two_policies" if len(own) > 1 else None
        if policy and not finding and (tenant, policy.calendar_id) not in self._calendars:
            finding = "no_calendar"
        return Clock(tenant, metric, row["event_id"], lead, tier, policy, finding, at, [(True, at, row["event_id"])])

    def thread(self, lead: str, items: list[Row], as_of: datetime) -> None:
        """One thread: its messages and the ends, in order, with `item`."""
        thread = _Thread(self, lead)
        for row in items:
            thread.lapse(row["occurred_at"])
            gap = self.gap_at(row["tenant_id"], row["occurred_at"])
            if row["item"] in ENDS:
                thread.end(row)
            elif gap is None:  # in no conversation: what we write is a reply all the same
                thread.stray(row)
            else:
                thread.message(row)
                thread.deadline = row["occurred_at"] + gap
        thread.lapse(as_of)

    def hand_overs(self, lead: str, items: list[tuple[datetime, int, str, str, Row]]) -> None:
        """Waits of one lead for a person: (at, 0 asks or 1 ends, name, event id, row)."""
        waiting, clock = False, None
        for at, ends, name, event_id, row in sorted(items, key=lambda item: item[:4]):
            if ends and waiting:
                if clock:
                    clock.end(at, name, event_id)
                waiting = False
            elif not ends and not waiting:
                waiting, clock = True, self.start("hand_over", row, lead)
                if clock:
                    self.clocks.append(clock)


class _Thread:
    """One thread while it is walked: its conversation, and whether the lead waits for any reply or for a person's."""

    def __init__(self, walked: Walk, lead: str) -> None:
        self.walked, self.lead = walked, lead
        self.deadline: datetime | None = None  # None: there is no conversation
        self.has_inbound = self.waits_for_any = self.waits_for_person = False
        self.responses: list[Clock] = []
        self.resolutions: list[Clock] = []
        self.talk: Clock | None = None

    def lapse(self, at: datetime) -> None:
        """Close a conversation that has been silent for too long; it is over only where the lead had the last reply."""
        if self.deadline is not None and at >= self.deadline:
            if self.talk and not self.talk.is_counting and self.has_inbound:
                self.talk.end(self.deadline, "inactive", None)
            self.deadline = self.talk = None

    def end(self, row: Row) -> None:
        """The matter is over."""
        for clock in self.responses + self.resolutions:
            clock.end(row["occurred_at"], row["item"], row["event_id"])
        self.responses, self.resolutions = [], []
        self.waits_for_any = self.waits_for_person = False
        if row["item"] == "resolved":
            self.deadline = self.talk = None

    def message(self, row: Row) -> None:
        """Somebody wrote."""
        if self.deadline is None:
            self.has_inbound = False
            self.talk = self.walked.start("resolution", row, self.lead)
            if self.talk:
                self.talk.stretches = [(row["item"] == "inbound", row["occurred_at"], row["event_id"])]
                self.resolutions.append(self.talk)
        if row["item"] == "inbound":
            self._inbound(row)
        elif row["item"] != "automation":
            self._reply(row, is_person=row["item"] == "human")

    def stray(self, row: Row) -> None:
        """Somebody wrote outside any conversation."""
        talk, self.talk = self.talk, None
        if row["item"] in ("human", "ai"):
            self._reply(row, is_person=row["item"] == "human")
        self.talk = talk

    def _inbound(self, row: Row) -> None:
        if self.has_inbound:
            clock = self.walked.start("next_response", row, self.lead, (self.waits_for_any, self.waits_for_person))
        else:
            clock = self.walked.start("first_response", row, self.lead)
            self.walked.clocks += [self.talk] if self.talk else []
        if clock:
            self.responses.append(clock)
            self.walked.clocks.append(clock)
        if self.talk:
            self.talk.turn(True, row["occurred_at"], row["event_id"])
        self.has_inbound = self.waits_for_any = self.waits_for_person = True

    def _reply(self, row: Row, *, is_person: bool) -> None:
        for clock in self.responses:
            if is_person or clock.counts_bots:
                clock.end(row["occurred_at"], "person_replied" if is_person else "assistant_replied", row["event_id"])
        self.responses = [clock for clock in self.responses if clock.stopped_at is None]
        if self.talk and (is_person or self.talk.counts_bots):
            self.talk.turn(False, row["occurred_at"], row["event_id"])
        self.waits_for_any, self.waits_for_person = False, self.waits_for_person and not is_person


def walk(known: dict[str, list[Row]], escalated: list[Row], holders: Holders, walked: Walk, as_of: datetime) -> list[Clock]:
    """Every clock of all that happened; `escalated` are the turns at which a qualification ended so."""
    of_leads = by_lead(known.get("lead_events", []), holders)
    consents = [row for row in known.get("contact_events", []) if row["kind"] in ("opted_out", "blocked")]
    of_consents = by_lead(consents, holders)
    resolved: dict[tuple[str, str], list[Row]] = {}
    for row in known.get("lead_events", []):
        if row["kind"] == "resolved":
            resolved.setdefault((row["tenant_id"], row["contact_point_id"]), []).append(row)

    for (tenant, lead, point, channel, _), thread in threads(known["messages"], holders).items():
        if lead is None:
            continue
        ends = [row | {"item": "resolved"} for row in resolved.get((tenant, point), []) if row["channel"] in (None, channel)]
        ends += [row | {"item": row["kind"]} for row in of_leads.get((tenant, lead), []) if row["kind"] in ("won", "lost")]
        ends += [row | {"item": "opted_out"} for row in of_consents.get((tenant, lead), [])]
        items = [(row["occurred_at"], 0, 0, row["event_id"], row["item"], row) for row in ends]
        for number, row in enumerate(thread):
            author = row["author_type"] if row["author_type"] in ("human", "ai") else "automation"
            item = "inbound" if row["direction"] == "inbound" else author
            items.append((row["occurred_at"], 1, number, "", "", row | {"item": item}))
        walked.thread(lead, [item[5] for item in sorted(items, key=lambda item: item[:5])], as_of)

    hands: dict[tuple[str, str], list[Any]] = {}
    for row in escalated:
        hands.setdefault((row["tenant_id"], row["lead_id"]), []).append((row["occurred_at"], 0, "escalated", row["event_id"], row))
    for key, rows in of_leads.items():
        for row in rows:
            if row["kind"] in ("escalated", "assigned", "human_action", *ENDS):
                order = 0 if row["kind"] in ("escalated", "assigned") else 1
                hands.setdefault(key, []).append((row["occurred_at"], order, row["kind"], row["event_id"], row))
    for key, rows in of_consents.items():
        hands.setdefault(key, []).extend((row["occurred_at"], 1, "opted_out", row["event_id"], row) for row in rows)
    persons = [row for row in in_order(known["messages"]) if row["author_type"] == "human" and row["direction"] == "outbound"]
    for key, rows in by_lead(persons, holders).items():
        hands.setdefault(key, []).extend((row["occurred_at"], 1, "person_replied", row["event_id"], row) for row in rows)
    for (_, lead), items in hands.items():
        walked.hand_overs(lead, items)
    return walked.clocks


def overlaps(spans: list[Span], since: datetime, until: datetime | None) -> Iterator[Span]:
    """The open time in [since, until)."""
    for opened, closed in spans[max(0, bisect_right(spans, since, key=lambda span: span[0]) - 1) :]:
        if until is not None and opened >= until:
            return
        begin, end = max(opened, since), closed if until is None else min(closed, until)
        if begin < end:
            yield begin, end


def used_up(clock: Clock, spans: list[Span], target: timedelta) -> datetime | None:
    """When the clock has counted so much, by eating up one open span after another; its last stretch as if it went on."""
    left = target
    parts = list(clock.parts(datetime.max.replace(tzinfo=UTC)))
    for number, (counts, since, until, _) in enumerate(parts):
        if not counts:
            continue
        for begin, end in overlaps(spans, since, None if number == len(parts) - 1 else until):
            if end - begin >= left:
                return begin + left
            left -= end - begin
    return None


def judged(clock: Clock, calendars: dict[tuple[str, str], list[Span]], as_of: datetime) -> dict[str, Any]:
    """What the mart must say of a clock."""
    found: dict[str, Any] = dict.fromkeys(("warn_at", "due_at", "verdict", "elapsed", "paused"))
    found["finding"] = clock.finding
    found["is_paused"] = clock.finding is None and clock.stopped_at is None and not clock.is_counting
    if clock.finding:
        return found
    spans = calendars[clock.tenant, clock.policy.calendar_id]
    target = timedelta(seconds=clock.policy.target_seconds)
    found["warn_at"], due = used_up(clock, spans, target * 4 // 5), used_up(clock, spans, target)
    found["due_at"] = due
    if due is None and clock.is_counting:
        found["finding"] = "calendar_ends"
    elif due is not None and (clock.stopped_at or as_of) > due:
        found["verdict"] = "breached"
    else:
        found["verdict"] = "pending" if clock.stopped_at is None else "met"
    if clock.stopped_at is not None:
        parts = list(clock.parts(clock.stopped_at))
        counted = [end - begin for counts, since, until, _ in parts if counts for begin, end in overlaps(spans, since, until)]
        found["elapsed"] = sum(counted, ZERO) // MICRO
        found["paused"] = sum((until - since for counts, since, until, _ in parts if not counts), ZERO) // MICRO
    return found
