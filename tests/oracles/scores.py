"""Scores by computing every moment of every lead from all its events, from scratch."""

import itertools
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from tests.oracles.common import SECOND, Holders, Row, by_lead, in_order, valid

DAY = timedelta(days=1)
INTENT = {
    "none": 0,
    "support": 10,
    "exploring": 40,
    "comparing": 70,
    "ready_to_buy": 100,
}


def scores(
    messages: list[Row],
    turns: list[Row],
    holders: Holders,
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Of each lead: (moment, intent, budget, timeline, engagement, signal, score, tier, event) wherever points or tier changed."""
    talks = by_lead(in_order(messages), holders)
    thinking = by_lead(sorted(turns, key=lambda row: (row["occurred_at"], row["event_id"])), holders)
    found = {}
    for key in talks.keys() | thinking.keys():
        talk, turned = talks.get(key, []), thinking.get(key, [])
        heard = [row for row in talk if row["direction"] == "inbound"]
        moments: dict[datetime, str] = {}
        for number, row in enumerate(heard):
            following = heard[number + 1]["occurred_at"] if number + 1 < len(heard) else None
            for days in (1, 3, 7, 14):
                at = row["occurred_at"] + days * DAY
                if at <= as_of and (following is None or at < following):
                    moments[at] = f"{row['event_id']}+{days * 86400}"
        for row in heard + turned:
            moments[row["occurred_at"]] = row["event_id"]
        rows: list[tuple[Any, ...]] = []
        for at in sorted(moments):
            weights = valid(reference["scoring_weights"], key[0], at)
            if weights is None:
                continue
            points = _points(
                at,
                [row for row in talk if row["occurred_at"] <= at],
                [row for row in turned if row["occurred_at"] <= at],
                weights,
            )
            tier = "HOT" if sum(points) >= weights.hot_at else "WARM" if sum(points) >= weights.warm_at else "COLD"
            if not rows or rows[-1][1:8] != (*points, sum(points), tier):
                rows.append((at, *points, sum(points), tier, moments[at]))
        found[key] = rows
    return found


def _points(at: datetime, talk: list[Row], turns: list[Row], weights: Any) -> tuple[int, int, int, int, int]:
    slots = turns[-1] if turns else {}
    intent = INTENT[slots.get("intent") or "none"]
    budget = 0
    if slots.get("budget_minor") and slots["budget_currency"] == "INR":
        ratio = slots["budget_minor"] / weights.typical_deal_minor
        budget = 100 if ratio >= 1 else 60 if ratio >= 0.5 else 30
    days = slots.get("timeline_days")
    timeline = 0 if days is None else 100 if days <= 7 else 70 if days <= 30 else 40 if days <= 90 else 10
    signal = (100 if slots.get("buying_signal") else 0) - (50 if slots.get("objection") not in (None, "", "none") else 0)
    heard = [row["occurred_at"] for row in talk if row["direction"] == "inbound"]
    silence = at - heard[-1] if heard else 99 * DAY
    recency = 100 if silence < DAY else 70 if silence < 3 * DAY else 40 if silence < 7 * DAY else 10 if silence < 14 * DAY else 0
    count = sum(1 for moment in heard if at - 7 * DAY < moment)
    frequency = 100 if count >= 5 else 60 if count >= 3 else 30 if count >= 1 else 0
    speed = 0
    for before, row in itertools.pairwise(talk):
        if before["direction"] == "outbound" and row["direction"] == "inbound":
            took = ceil((row["occurred_at"] - before["occurred_at"]) / timedelta(microseconds=1))
            speed = (
                100
                if took <= 300_000_000
                else 60
                if took <= 3_600_000_000
                else 30
                if took <= 86_400 * SECOND / timedelta(microseconds=1)
                else 0
            )
    return (
        weights.intent_points * intent // 100,
        weights.budget_points * budget // 100,
        weights.timeline_points * timeline // 100,
        weights.engagement_points * (40 * recency + 30 * frequency + 30 * speed) // 10_000,
        weights.signal_points * min(100, max(0, signal)) // 100,
    )
