"""Qualifications and written risks, by walking each conversation's turns and messages one after the other."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from core.actions import key_of
from tests.oracles.common import Holders, Row, in_order, valid


class Talk(NamedTuple):
    """One conversation, as `tests.oracles.conversations` finds it."""

    tenant: str
    point: str
    account: str
    events: tuple[str, ...]
    opened_at: datetime
    closed_at: datetime | None

    @property
    def key(self) -> str:
        """Its id."""
        return key_of(self.tenant, self.point, self.account, self.events[0])


class Risk(NamedTuple):
    """A message of high risk that is told at once: the first of its conversation, or one of none (`key` is None)."""

    tenant: str
    lead: str | None
    key: str | None
    event: str
    word: str
    at: datetime


def risks(messages: Iterable[Row], said: dict[tuple[str, str], str | None], talks: Iterable[Talk], holders: Holders) -> list[Risk]:
    """Every one; `said` is the risk that was read in a message, by tenant and event."""
    of_talk = {(talk.tenant, event): talk.key for talk in talks for event in talk.events}
    found, told = [], set()
    for row in in_order(messages):
        event = (row["tenant_id"], row["event_id"])
        word, key = said.get(event), of_talk.get(event)
        if row["direction"] == "inbound" and word not in (None, "none") and (row["tenant_id"], key or row["event_id"]) not in told:
            told.add((row["tenant_id"], key or row["event_id"]))
            found.append(Risk(row["tenant_id"], holders.lead(row), key, row["event_id"], str(word), row["occurred_at"]))
    return found


def qualifications(
    turns: Iterable[Row],
    talks: Iterable[Talk],
    leads: dict[str, tuple[str | None, str]],
    written: Iterable[Risk],
    holders: Holders,
    policies: Any,
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By tenant and conversation: lead, turn that counts last, outcome, why a person is wanted, turns, end, finding.

    `leads` are the lead and channel of a conversation, by its id.
    """
    taken: dict[Talk, list[Row]] = {}
    by_thread: dict[tuple[str, str | None, str], list[Talk]] = {}
    for talk in talks:
        by_thread.setdefault((talk.tenant, *leads[talk.key]), []).append(talk)
    for row in sorted(turns, key=lambda row: (row["occurred_at"], row["event_id"])):
        lead = holders.lead(row)
        begun = [talk for talk in by_thread.get((row["tenant_id"], lead, row["channel"]), ()) if talk.opened_at <= row["occurred_at"]]
        if lead is not None and begun:
            latest = max(talk.opened_at for talk in begun)
            taken.setdefault(min((talk for talk in begun if talk.opened_at == latest), key=lambda talk: talk.key), []).append(row)
    first = {(risk.tenant, risk.key): risk for risk in written if risk.key}
    return {
        (talk.tenant, talk.key): (leads[talk.key][0], *_walked(talk, rows, first.get((talk.tenant, talk.key)), policies))
        for talk, rows in taken.items()
    }


def _walked(talk: Talk, turns: list[Row], written: Risk | None, policies: Any) -> tuple[Any, ...]:
    doubts, finding = 0, None
    for number, row in enumerate(turns, 1):
        policy = valid(policies, talk.tenant, row["occurred_at"])
        finding = finding if policy else "no_policy"
        doubts += (is_doubtful := bool(policy and row["confidence"] < policy.low_confidence))
        outcome, why = None, None
        if row["risk"] != "none":
            why = f"high_risk:{row['risk']}"
        elif written and written.at <= row["occurred_at"]:
            why = f"high_risk:{written.word}"
        elif row["asked_for_human"]:
            why = "asked_for_human"
        elif is_doubtful and doubts >= 2:
            why = "low_confidence"
        elif row["verdict"] in ("qualified", "disqualified"):
            outcome = row["verdict"]
        elif row["verdict"] == "escalate":
            why = "assistant"
        elif policy and number >= policy.max_ai_turns:
            why = "turn_limit"
        if why or outcome:
            return row["event_id"], outcome or "escalated", why, number, row["occurred_at"], finding
    return turns[-1]["event_id"], "lapsed" if talk.closed_at else "open", None, len(turns), talk.closed_at, finding
