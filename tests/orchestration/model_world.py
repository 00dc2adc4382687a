"""Leads of a tenant through time with a planted truth: rows of `ftr_leads` and `fct_lead_outcomes` as the warehouse would give them.

Here belongs drawing them, and a tenant that lives through eras of them over a real registry. Not here: what is expected of models.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from scipy.special import expit

from assets.model_governance import respond
from assets.model_rows import CONTRACT, MODEL, snapshot
from assets.model_training import Made, train_all
from core.models import Change, ModelPolicy
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.warehouse import Warehouse

START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=30)
DAY = timedelta(days=1)
POLICY = ModelPolicy(30, 1, 3, 1, 19)
Row = dict[str, Any]
_TIME = pa.timestamp("us", tz="UTC")


def leads(tenant: str, count: int, since: datetime, until: datetime, *, seed: int, turn: float = 1.0) -> tuple[list[Row], list[Row]]:
    """One instant a lead, evenly over [since, until); `turn` multiplies what confidence and inbound messages mean."""
    rng = np.random.default_rng(seed)
    features, outcomes = [], []
    for number in range(count):
        at = since + (until - since) * number / count
        confidence, inbound = float(rng.random()), int(rng.poisson(3))
        intent = str(rng.choice(["exploring", "comparing", "ready_to_buy"]))
        row: Row = {each.name: 0 for each in CONTRACT.features} | {
            "tenant_id": tenant, "lead_id": f"{tenant}-{seed}-{number}", "trigger_event_id": f"e{seed}-{number}", "featured_at": at,
            "confidence": confidence, "inbound_count": inbound, "score": int(confidence * 60 + inbound * 5), "intent": intent, "tier": "WARM",
            "budget_minor": None if rng.random() < 0.2 else int(rng.lognormal(15, 1)), "has_objection": bool(rng.random() < 0.3),
            "age_seconds": int(rng.integers(0, 10**6)),
        }  # fmt: skip
        features.append(row)
        chance = expit(-1 + turn * (4 * (confidence - 0.5) + 0.5 * (inbound - 3) + (intent == "ready_to_buy")))
        if rng.random() < chance:
            won = at + HORIZON * float(rng.uniform(0.1, 0.9))
            outcomes.append(
                {"tenant_id": tenant, "lead_id": row["lead_id"], "event_id": f"w{seed}-{number}", "outcome": "won", "occurred_at": won}
            )
    return features, outcomes


def marts(folder: Path, features: list[Row], outcomes: list[Row]) -> Warehouse:
    """A real DuckDB warehouse that holds just these rows."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema marts")
        schema = pa.schema({name: pa.string() for name in ("tenant_id", "lead_id", "event_id", "outcome")} | {"occurred_at": _TIME})
        tables = {
            "ftr_leads": pa.Table.from_pylist(features),
            "fct_lead_outcomes": pa.Table.from_pylist(outcomes, schema),
            "dim_lead_aliases": pa.table({name: pa.array([], pa.string()) for name in ("tenant_id", "alias_id", "lead_id")}),
        }
        for name, table in tables.items():
            connection.register("given", table)
            connection.execute(f"create table marts.{name} as from given")
    return Warehouse(folder / "warehouse.duckdb", folder, folder)


@dataclass
class ModelWorld:
    """One tenant's leads, and a registry; each era is 60 days and 900 leads."""

    tenant: str
    registry: MlflowRegistry
    features: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    end: datetime = START

    def live(self, turn: float, seed: int, count: int = 900) -> datetime:
        """Another era; the moment at which all its outcomes are known."""
        until = self.end + 60 * DAY
        features, outcomes = leads(self.tenant, count, self.end, until, seed=seed, turn=turn)
        self.features += features
        self.outcomes += outcomes
        self.end = until
        return until + HORIZON

    def train(self, as_of: datetime) -> Made:
        found = snapshot(self.features, self.outcomes, as_of, 30)
        return train_all(self.registry, found, POLICY, as_of, "test", [self.tenant])[0]

    def respond(self, as_of: datetime, severity: Any = "critical", reason: str = "confidence drifts") -> Any:
        found = snapshot(self.features, self.outcomes, as_of, 30)
        return respond(self.registry, found, (self.tenant, MODEL), severity, reason, as_of, lambda: self.train(as_of))

    @property
    def journal(self) -> list[Change]:
        return [each for each in self.registry.changes() if each.tenant_id == self.tenant]
