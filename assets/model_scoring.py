"""Scoring: what every champion, and the version that may follow it, say of every open lead now; and what came of what they said.

Here belong predictions as rows. Not here: features (`assets.model_rows`), who is champion (`assets.model_governance`), Dagster
(`assets.models`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from assets.model_governance import load
from assets.model_rows import CONTRACT, Row, words_of
from core.model_ports import Registry, Said, Scorer
from core.models import GovernanceError, ModelVersion, Prediction, champions
from ml.labels import label
from ml.thresholds import tiers

Role = Literal["champion", "shadow"]


class Scored(NamedTuple):
    """Predictions, and the versions that could not be used, with the reason of each."""

    predictions: list[Prediction]
    refused: list[str]


def in_service(registry: Registry, as_of: datetime) -> list[ModelVersion]:
    """Every champion, and after it the newest version of the same model if it is newer: the challenger, which shadows it."""
    found = []
    for key, change in sorted(champions(registry.changes(as_of)).items()):
        own = {each.version: each for each in registry.versions(*key)}
        found.append(own[change.version])
        if max(own) > change.version:
            found.append(own[max(own)])
    return found


def score_all(registry: Registry, scorer: Scorer, as_of: datetime) -> Scored:
    """Score the last instant of each open lead. A version whose file is refused is left out and told; the others go on."""
    scored = Scored([], [])
    models: list[tuple[ModelVersion, bytes]] = []
    for version in in_service(registry, as_of):
        try:
            if version.features_sha256 != CONTRACT.sha256:
                raise GovernanceError(
                    f"version {version.version} of {version.model} ({version.tenant_id}) reads other features: train anew"
                )
            load(registry, version)
            models.append((version, registry.data(version)))
        except GovernanceError as error:
            scored.refused.append(str(error))
    now = champions(registry.changes(as_of))
    for said in scorer.score(models, as_of):
        is_champion = now[said.version.tenant_id, said.version.model].version == said.version.version
        scored.predictions.append(_prediction(said, "champion" if is_champion else "shadow", as_of))
    return scored


def _prediction(said: Said, role: Role, as_of: datetime) -> Prediction:
    version = said.version
    [tier] = tiers(np.array([said.probability]), version.hot_threshold, version.warm_threshold)
    return Prediction(
        tenant_id=version.tenant_id,
        lead_id=said.lead_id,
        model_name=version.model,
        model_version=version.version,
        role=role,
        trigger_event_id=said.trigger_event_id,
        row_sha256=said.row_sha256,
        score_millionths=said.score_millionths,
        probability=said.probability,
        tier=msgspec.convert(str(tier), Prediction.__annotations__["tier"]),
        hot_threshold=version.hot_threshold,
        warm_threshold=version.warm_threshold,
        parts=said.parts,
        featured_at=said.featured_at,
        predicted_at=as_of,
    )


def with_outcomes(
    logged: Sequence[Prediction], versions: Sequence[ModelVersion], outcomes: Sequence[Row], aliases: Sequence[Row], as_of: datetime
) -> list[Prediction]:
    """The log with ground truth as it is known at a moment, each lead under the id that it has now; restated where words come late."""
    words = words_of(outcomes)
    horizons = {(each.tenant_id, each.model, each.version): timedelta(days=each.horizon_days) for each in versions}
    now = {(row["tenant_id"], row["alias_id"]): row["lead_id"] for row in aliases}
    found: dict[tuple[str, str, int, str, datetime], Prediction] = {}
    for each in logged:
        lead_id = now.get((each.tenant_id, each.lead_id), each.lead_id)
        truth = label(
            words.get((each.tenant_id, lead_id), ()),
            each.featured_at,
            horizons[each.tenant_id, each.model_name, each.model_version],
            as_of,
        )
        row = msgspec.structs.replace(
            each, lead_id=lead_id, outcome=truth.outcome, outcome_at=None if truth.outcome is None else truth.known_at
        )
        found.setdefault((row.tenant_id, row.model_name, row.model_version, row.lead_id, row.featured_at), row)
    return list(found.values())


def unreadable(registry: Registry, as_of: datetime) -> list[str]:
    """Why each version in service that cannot be used cannot."""
    wrong = []
    for version in in_service(registry, as_of):
        try:
            load(registry, version)
        except GovernanceError as error:
            wrong.append(str(error))
    return wrong


def told(scored: Scored) -> Mapping[str, int]:
    """How many predictions by role."""
    counts = {"champion": 0, "shadow": 0}
    for each in scored.predictions:
        counts[each.role] += 1
    return counts
