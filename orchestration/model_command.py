"""`flexoraa model`: training, versions, champions and scores of one installation.

Here belongs finding what is meant and refusing whom it is not allowed. Not here: the command line (`model_cli`), any decision
(`assets.model_governance`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.models import answer_drift, train_models
from core.models import GovernanceError, champions
from orchestration.resources.clients import alone
from orchestration.resources.clock import SystemClock
from orchestration.resources.drift import PostgresDrift
from orchestration.resources.engines import warehouse_of
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse import EngineWarehouse

MODEL = "lead_conversion"
_DECIDERS = {"manager", "admin"}
_SEVERITIES = ("ok", "warn", "critical")
_MOST = 3


@dataclass(frozen=True, slots=True)
class Models:
    """The models of an installation at a moment."""

    settings: Settings
    registry: MlflowRegistry
    identity: PostgresIdentity
    warehouse: EngineWarehouse
    drift: PostgresDrift
    as_of: datetime

    def train(self, tenant: str | None) -> list[dict[str, Any]]:
        """A version for each tenant; what became of it."""
        with alone(self.settings.home):
            return train_models(self.warehouse, self.registry, self.drift, self.as_of, "command", self._tenants(tenant))

    def versions(self, tenant: str | None) -> list[dict[str, Any]]:
        """One row a version."""
        now = champions(self.registry.changes())
        return [
            {
                "tenant_id": each.tenant_id,
                "model": each.model,
                "version": each.version,
                "is_champion": now[each.tenant_id, each.model].version == each.version if (each.tenant_id, each.model) in now else False,
                "rows": each.rows,
                "positives": each.positives,
                "own_positives": each.own_positives,
                "trained_at": each.trained_at.isoformat(),
            }
            for each in self.registry.versions(tenant)
        ]

    def show(self, tenant: str, version: int) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
        """The card, its page, and the journal of the model."""
        from ml.model_card import page  # here: numpy and scipy, 0.6 s

        found = {each.version: each for each in self.registry.versions(tenant, MODEL)}
        if version not in found:
            raise GovernanceError(
                f"{MODEL} of {tenant} has no version {version}; there are: {', '.join(map(str, sorted(found))) or 'none'}"
            )
        card = json.loads(found[version].card)
        journal = [
            {"version": each.version, "cause": each.cause, "reason": each.reason, "decided_at": each.decided_at.isoformat(),
             "decided_by": each.decided_by, "evidence": json.loads(each.evidence)}
            for each in self.registry.changes() if (each.tenant_id, each.model) == (tenant, MODEL)
        ]  # fmt: skip
        return card, page(card), journal

    def promote(self, tenant: str, version: int, by: str) -> dict[str, Any]:
        """Where the evidence says so."""
        from assets.model_governance import promote  # as above
        from assets.model_rows import snapshot

        self._allowed(tenant, by)
        found = {each.version: each for each in self.registry.versions(tenant, MODEL)}
        if version not in found:
            raise GovernanceError(
                f"{MODEL} of {tenant} has no version {version}; there are: {', '.join(map(str, sorted(found))) or 'none'}"
            )
        rows = (self.warehouse.rows("ftr_leads"), self.warehouse.rows("fct_lead_outcomes"))
        verdict = promote(self.registry, snapshot(*rows, self.as_of, found[version].horizon_days), found[version], self.as_of, by)
        self.registry.mirror()
        return self._answer(tenant, verdict.kind, verdict.reason)

    def put(self, tenant: str, version: int, by: str | None) -> dict[str, Any]:
        """By a person's choice."""
        from assets.model_governance import roll_back_by_hand  # as above

        if by is None:
            raise GovernanceError("--to is a person's choice: say whose with --by")
        self._allowed(tenant, by)
        change = roll_back_by_hand(self.registry, (tenant, MODEL), version, self.as_of, by)
        self.registry.mirror()
        return self._answer(tenant, "none" if change is None else "roll_back", "nothing changed" if change is None else change.reason)

    def answer_drift(self, tenant: str, severity: str, reason: str) -> dict[str, Any]:
        """As the monitor would."""
        if severity not in _SEVERITIES:
            raise GovernanceError(f"drift of severity {severity!r}: there are {', '.join(_SEVERITIES)}")
        self._tenants(tenant)
        with alone(self.settings.home):
            return answer_drift(self.warehouse, self.registry, self.drift, tenant, MODEL, severity, reason, self.as_of)

    def score(self, tenant: str | None) -> tuple[list[dict[str, Any]], list[str]]:
        """Every open lead by the champions, best first; and the versions that could not be used."""
        from assets.model_scoring import score_all  # as above
        from orchestration.resources.scoring import WarehouseScorer

        scored = score_all(self.registry, WarehouseScorer(self.warehouse), self.as_of)
        rows = []
        for each in sorted(scored.predictions, key=lambda each: (each.tenant_id, -each.probability, each.lead_id)):
            if each.role == "champion" and tenant in {None, each.tenant_id}:
                parts = json.loads(each.parts)
                most = sorted(((name, value) for name, value in parts.items() if name != "base" and value), key=lambda part: -abs(part[1]))
                rows.append(
                    {"tenant_id": each.tenant_id, "lead_id": each.lead_id, "version": each.model_version,
                     "probability": round(each.probability, 6), "tier": each.tier, "score_millionths": each.score_millionths,
                     "parts": parts, "most": ", ".join(f"{name} {value / 1e6:+.2f}" for name, value in most[:_MOST])}
                )  # fmt: skip
        return rows, scored.refused

    def _answer(self, tenant: str, kind: str, reason: str) -> dict[str, Any]:
        now = champions(self.registry.changes()).get((tenant, MODEL))
        return {"tenant_id": tenant, "model": MODEL, "verdict": kind, "reason": reason, "champion": now.version if now else None}

    def _tenants(self, tenant: str | None) -> list[str]:
        known = list(self.registry.tenants())
        if tenant is not None and tenant not in known:
            raise GovernanceError(f"there is no tenant {tenant!r}; there are: {', '.join(known) or 'none'}")
        return known if tenant is None else [tenant]

    def _allowed(self, tenant: str, by: str) -> None:
        self._tenants(tenant)
        people = self.identity.people(tenant, self.as_of)
        if by not in people:
            raise GovernanceError(f"{by!r} is nobody of {tenant} at {self.as_of.isoformat()}; the tenants file names its people")
        if people[by] not in _DECIDERS:
            raise GovernanceError(f"{by} is {people[by]} of {tenant} and may not choose a champion: ask one who is admin or manager")


@contextmanager
def open_models(settings: Settings, as_of: datetime | None) -> Iterator[Models]:
    """The models at a moment; else now."""
    with open_state(settings) as state:
        vault, warehouse = Vault(state, settings.master_key()), warehouse_of(settings, state.libpq_url)
        registry, identity = MlflowRegistry(state, vault, settings.models), PostgresIdentity(state, vault)
        yield Models(settings, registry, identity, warehouse, PostgresDrift(state), as_of or SystemClock().now())
