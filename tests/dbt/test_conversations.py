"""Conversations, waits, qualifications and written risks against the oracles: random histories with a stretch without a policy."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from tests.dbt.histories import AS_OF
from tests.dbt.warehouse import rows
from tests.oracles import conversations, qualification
from tests.oracles.common import gap_of, valid
from tests.oracles.qualification import Talk


@pytest.fixture(scope="module")
def talks(made, known, holders) -> list[tuple[Any, ...]]:
    """All conversations, by the oracle."""
    return conversations.conversations(known["messages"], known["lead_events"], holders, gap_of(made.reference["policies"]), AS_OF)


def test_conversations(built, talks) -> None:
    found = rows(
        built,
        """
        select c.tenant_id, c.contact_point_id, c.channel_account_id, list(m.event_id order by m.event_id), c.opened_at, c.closed_at,
            c.close_reason, c.first_response_seconds, c.longest_next_response_seconds, c.inbound_count, c.outbound_count
        from marts.fct_conversations as c inner join marts.fct_messages as m using (tenant_id, conversation_id) group by all
        """,
    )
    expected = set()
    for *row, waits in talks:
        first, later = (waits[0][1] if waits else None), [seconds for _, seconds in waits[1:] if seconds is not None]
        expected.add((*row[:3], tuple(sorted(row[3])), *row[4:], first, max(later, default=None)))
    assert expected == {(*row[:3], tuple(row[3]), *row[4:9]) for row in found}
    assert all(len(row[3]) == row[9] + row[10] for row in found)
    assert len({row[8] for row in found}) > 50


def test_responses_are_told_of_the_message_that_began_the_wait(built, talks) -> None:
    expected = {(row[0], event): seconds for row in talks for event, seconds in row[7] if seconds is not None}
    answered = rows(built, "select tenant_id, event_id, response_seconds from marts.fct_messages where response_seconds is not null")
    assert {row[:2]: row[2] for row in answered} == expected
    assert 0 in expected.values()


def test_what_no_policy_was_valid_at_is_in_no_conversation_and_is_counted(built, made, known, talks) -> None:
    inside = {(row[0], event) for row in talks for event in row[3]}
    expected = {(row["tenant_id"], row["event_id"]) for row in known["messages"]} - inside
    told = rows(built, "select tenant_id, event_id, conversation_id, finding from marts.fct_messages where finding is not null")
    assert {row[:2] for row in told} == expected != set()
    assert {row[2:] for row in told} == {(None, "no_policy")}
    days: Counter[tuple[str, str, date]] = Counter()
    for row in known["messages"] + known["ai_turns"]:
        if valid(made.reference["policies"], row["tenant_id"], row["occurred_at"]) is None:
            days[row["tenant_id"], "no_policy", row["occurred_at"].date()] += 1
    counted = rows(built, "select tenant_id, finding, finding_date, event_count from marts.fct_reference_findings")
    assert {row[:3]: row[3] for row in counted if row[1] == "no_policy"} == days
    assert {row[1] for row in counted} == {"no_policy", "no_scoring_weights"}


def test_qualifications_and_a_risky_message_that_escalates_at_once(built, made, known, holders, talks) -> None:
    talked = [Talk(*row[:6]) for row in talks]
    said: dict[tuple[str, str], Any] = {}
    for signal in sorted(made.reference["message_signals"], key=lambda each: each.source != "platform", reverse=True):
        said[signal.tenant_id, signal.event_id] = signal.risk  # our own feed's telling is the last word
    written = qualification.risks(known["messages"], said, talked, holders)
    told = {(row["tenant_id"], row["event_id"]): (holders.lead(row), row["channel"]) for row in known["messages"]}
    owners = {talk.key: told[talk.tenant, talk.events[0]] for talk in talked}
    expected = qualification.qualifications(known["ai_turns"], talked, owners, written, holders, made.reference["policies"])
    found = rows(
        built,
        "select tenant_id, conversation_id, lead_id, last_turn_event_id, outcome, escalation_reason, turns, ended_at, finding "
        "from marts.fct_qualification",
    )
    assert {row[:2]: row[2:] for row in found} == expected
    assert {row[6] for row in expected.values()} == {None, "no_policy"}
    assert {row[3] for row in expected.values()} >= {f"high_risk:{word}" for word in ("refund_dispute", "self_harm", "abuse")}
    wanted = {(each.tenant, "risk", each.event, each.at, f"high_risk:{each.word}") for each in written if each.lead}
    risky = {(each.tenant, each.key): each.at for each in written if each.lead}
    for (tenant, key), (_, event, _, why, _, at, _) in expected.items():
        if why and risky.get((tenant, key), AS_OF) > at:
            wanted.add((tenant, "qualification", event, at, why))
    asked = rows(
        built, "select tenant_id, subject, trigger, due_at, details ->> 'reason' from marts.act_requests where rule = 'escalation'"
    )
    assert set(asked) == wanted
    assert len([row for row in asked if row[1] == "risk"]) > 20
