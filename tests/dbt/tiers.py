"""When leads became HOT, by walking their scores and what people decided; from marts and events alone, so on every engine."""

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
