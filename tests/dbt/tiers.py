"""When leads became HOT, by walking their scores and what people decided, and when a person was wanted; from marts and events alone, so on
every engine."""

from datetime import datetime, timedelta

import duckdb

from tests.dbt.histories import AS_OF, History
from tests.oracles.common import Holders, by_lead


def became_hot(built: duckdb.DuckDBPyConnection, made: History, holders: Holders) -> list[tuple[str, str, str, datetime]]:
    """Tenant, lead, event and moment. From the first decision of a person on, only people count."""
    decided: dict[tuple[str, str], dict[datetime, tuple[str, str]]] = {}
    scores = built.execute("select tenant_id, lead_id, scored_at, tier, trigger_event_id from marts.fct_lead_scores").fetchall()
    for tenant, lead, at, tier, event in scores:
        decided.setdefault((tenant, lead), {})[at] = (tier, event)
    for key, events in by_lead(sorted(made.known("lead_events", AS_OF), key=lambda row: row["event_id"]), holders).items():
        overrides = {row["occurred_at"]: (row["tier"], row["event_id"]) for row in events if row["kind"] == "tier_overridden"}
        until = min(overrides, default=AS_OF + timedelta(days=1))
        decided[key] = {at: said for at, said in decided.get(key, {}).items() if at < until} | overrides
    found = []
    for (tenant, lead), said in decided.items():
        before = None
        for at, (tier, event) in sorted(said.items()):
            if tier == "HOT" and before != "HOT":
                found.append((tenant, lead, event, at))
            before = tier
    return found


def wanted_persons(built: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str, datetime]]:
    """Tenant, lead, subject, event and moment of each escalation: a risky message at once, and a qualification that tells nothing new."""
    risks: dict[tuple[str, str], tuple[str, str, str, str, datetime]] = {}
    risky = "select tenant_id, lead_id, conversation_id, event_id, sent_at from marts.fct_message_signals where is_high_risk"
    for tenant, lead, talk, event, at in sorted(built.execute(risky).fetchall(), key=lambda row: (row[4], row[3])):
        risks.setdefault((tenant, talk or event), (tenant, lead, "risk", event, at))
    found = [each for each in risks.values() if each[1] is not None]
    turns = (
        "select tenant_id, lead_id, conversation_id, last_turn_event_id, ended_at from marts.fct_qualification where outcome = 'escalated'"
    )
    for tenant, lead, talk, event, at in built.execute(turns).fetchall():
        if (tenant, talk) not in risks or risks[tenant, talk][4] > at:
            found.append((tenant, lead, "qualification", event, at))
    return found
