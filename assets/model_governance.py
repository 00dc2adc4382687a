"""Champions: who takes whose place on what evidence, and what follows from drift.

Here belongs putting evidence before the rules of `core.models` and writing down what they say. Not here: the rules, how two versions are
compared (`ml.evaluation`), how drift is measured (`ml.drift`).
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np

from assets.model_rows import CONTRACT, Snapshot, latest, stamp
from assets.model_training import Made, fit
from core.model_ports import Registry
from core.models import (
    LEVEL,
    Change,
    GovernanceError,
    Key,
    ModelVersion,
    Severity,
    Shadow,
    Verdict,
    Why,
    answer_drift,
    champions,
    change_id,
    earlier_champions,
    may_promote,
)
from ml import evaluation, model_file
from ml.lead_scoring import LeadModel
from ml.training import NotEnough, predicted, split

AUTOMATIC = "model_monitor"
"""Who decides in the journal where no person did."""


def load(registry: Registry, version: ModelVersion) -> LeadModel:
    """A version's model, from a file that is what it was when it was stored.

    Raises:
        GovernanceError: the file was changed, or holds what is not allowed.
    """
    try:
        return _read(registry.data(version), version.sha256)
    except model_file.ModelFileError as error:
        message = f"version {version.version} of {version.model} ({version.tenant_id}), {version.place}: {error}"
        raise GovernanceError(f"{message}. Bring the file back from a backup, or roll back to another version") from error


@lru_cache(maxsize=32)
def _read(data: bytes, sha256: str) -> LeadModel:
    return model_file.from_bytes(data, sha256)


def shadow(registry: Registry, found: Snapshot, champion: ModelVersion, other: ModelVersion) -> Shadow:
    """Both versions on the tenant's rows that neither was fitted to, the last instant of each lead.

    `found` is labelled with the horizon that both share.

    Raises:
        GovernanceError: they do not predict the same.
    """
    if champion.horizon_days != other.horizon_days:
        message = f"version {champion.version} predicts {champion.horizon_days} days ahead and version {other.version} {other.horizon_days}"
        raise GovernanceError(f"{message}: they are not compared")
    since = max(stamp(champion.fitted_until), stamp(other.fitted_until))
    fresh = _fresh(found, champion.tenant_id, since)
    columns = fresh.columns()
    said = [load(registry, each).score(columns).probability if fresh.rows else np.zeros(0) for each in (champion, other)]
    return _compared(fresh, other.version, said[0], said[1])


def promote(registry: Registry, found: Snapshot, version: ModelVersion, as_of: datetime, by: str) -> Verdict:
    """Make a version champion where the evidence says so; the first one where it is better than the share of positives alone.

    The refusal is an answer, and is not written down: nothing was called for.
    """
    now = champions(registry.changes(as_of)).get((version.tenant_id, version.model))
    if now is None:
        raise GovernanceError("there is no champion to compare with: the first version is judged when it is trained")
    if now.version == version.version:
        return Verdict("none", f"version {version.version} is champion already")
    found_shadow = shadow(registry, found, _version(registry, version, now.version), version)
    verdict = may_promote(found_shadow)
    if verdict.kind == "promote":
        _write(registry, (version.tenant_id, version.model), version.version, Why("better", verdict.reason, by), [found_shadow], as_of)
    return verdict


def first(registry: Registry, made: Made, as_of: datetime, by: str) -> Verdict | None:
    """The first champion, if it is significantly better on later rows than the share of positives; None where there is one already."""
    if made.version is None or (made.tenant_id, made.version.model) in champions(registry.changes()):
        return None
    if made.judged is None:
        return Verdict("keep", f"version {made.version.version} could not be judged: no champion yet")
    y, p = made.judged.outcome, made.judged.probability
    paired = evaluation.compare(y, np.full(len(y), made.judged.base_rate), p, LEVEL)
    evidence = Shadow(
        made.version.version,
        paired.rows,
        paired.positives,
        paired.gain,
        paired.gain_low,
        paired.gain_high,
        paired.first_auc,
        paired.second_auc,
    )
    verdict = may_promote(evidence)
    if verdict.kind == "promote":
        reason = f"{verdict.reason}; against the share of positives alone"
        _write(registry, (made.tenant_id, made.version.model), made.version.version, Why("first", reason, by), [evidence], as_of)
    return verdict


def roll_back_by_hand(registry: Registry, key: Key, version: int, as_of: datetime, by: str) -> Change | None:
    """A person puts an earlier version in place; None where it is champion already.

    Raises:
        GovernanceError: there is no such version.
    """
    now = champions(registry.changes()).get(key)
    if now is not None and now.version == version:
        return None
    _known(registry, key, version)
    return _write(registry, key, version, Why("manual", f"version {version} was put in place by a person", by), [], as_of)


def respond(
    registry: Registry,
    found: Snapshot,
    key: Key,
    severity: Severity,
    reason: str,
    as_of: datetime,
    train: Callable[[], Made],
) -> Verdict:
    """Answer drift of a champion: nothing, the last good version, a retrained one, or the champion kept; written down and told.

    The same drift answered again changes nothing. `train` makes a new version from everything known; its evidence is that of the same
    procedure fitted to all but the last fifth of the rows, on that fifth.

    Raises:
        GovernanceError: there is no champion.
    """
    now = champions(registry.changes()).get(key)
    if now is None:
        raise GovernanceError(f"{key[1]} of {key[0]} has no champion: nothing can drift")
    champion = _known(registry, key, now.version)
    if severity != "critical":
        return answer_drift(severity, reason, as_of, [])
    said = json.loads(now.evidence).get("drift")
    if said == [reason, as_of.isoformat()]:
        return Verdict("none", f"answered already: {now.reason}")
    drift = (reason, as_of.isoformat())
    evidence = [shadow(registry, found, champion, _known(registry, key, each)) for each in earlier_champions(registry.changes(), key)]
    verdict = answer_drift(severity, reason, as_of, evidence)
    if verdict.kind == "roll_back" and verdict.version is not None:
        _write(registry, key, verdict.version, Why("rollback", verdict.reason, AUTOMATIC, drift), evidence, as_of)
        return verdict
    again = rehearsal(registry, found, champion)
    shadows = [*evidence, *([again] if again else [])]
    after = answer_drift(severity, reason, as_of, [] if again is None else [again], is_retrained=True)
    if after.kind == "promote":
        made = train()
        if made.version is not None:
            told = after.reason.replace("version 0", f"version {made.version.version}, retrained,")
            _write(registry, key, made.version.version, Why("retrained", told, AUTOMATIC, drift), shadows, as_of)
            return Verdict("promote", told, made.version.version)
        after = Verdict("keep", f"{after.reason}; training failed: {made.reason}")
    told = f"{verdict.reason}; retrained: {after.reason}".replace("version 0", "the retrained version")
    _write(registry, key, champion.version, Why("kept", told, AUTOMATIC, drift), shadows, as_of)
    return Verdict("keep", told)


def rehearsal(registry: Registry, found: Snapshot, champion: ModelVersion) -> Shadow | None:
    """What retraining would give: fitted to all but the last fifth, against the champion on that fifth where it is fresh to it."""
    known = found.part(~np.isnan(found.outcome))
    if not known.rows:
        return None
    early, late = split(known.moment, known.known_at, 0.2)
    trained = fit(known.part(np.isin(np.arange(len(known.rows)), early)), is_judged=False)
    if isinstance(trained, NotEnough):
        return None
    after = known.part(np.isin(np.arange(len(known.rows)), late))
    fresh = _fresh(after, champion.tenant_id, stamp(champion.fitted_until))
    if not fresh.rows:
        return None
    columns = fresh.columns()
    return _compared(fresh, 0, load(registry, champion).score(columns).probability, predicted(trained.models, columns, fresh.tenant))


def _fresh(found: Snapshot, tenant_id: str, since: float) -> Snapshot:
    """A tenant's rows with their outcome from a moment on, the last instant of each lead: rows of one lead are no independent evidence."""
    return latest(found.part((found.tenant == tenant_id) & (found.moment >= since) & ~np.isnan(found.outcome)))


def _compared(fresh: Snapshot, version: int, champion: evaluation.Floats, other: evaluation.Floats) -> Shadow:
    rows, positives = len(fresh.rows), int(fresh.outcome.sum())
    if rows < 2:
        return Shadow(version, rows, positives, 0.0, 0.0, 0.0)
    paired = evaluation.compare(fresh.outcome, champion, other, LEVEL)
    return Shadow(version, rows, positives, paired.gain, paired.gain_low, paired.gain_high, paired.first_auc, paired.second_auc)


def _version(registry: Registry, like: ModelVersion, version: int) -> ModelVersion:
    return _known(registry, (like.tenant_id, like.model), version)


def _known(registry: Registry, key: Key, version: int) -> ModelVersion:
    found = {each.version: each for each in registry.versions(*key)}
    if version not in found:
        known = ", ".join(map(str, sorted(found))) or "none"
        raise GovernanceError(f"{key[1]} of {key[0]} has no version {version}; there are: {known}")
    if found[version].features_sha256 != CONTRACT.sha256:
        raise GovernanceError(f"version {version} of {key[1]} ({key[0]}) reads other features than there are now: train a new one")
    return found[version]


def _write(registry: Registry, key: Key, version: int, why: Why, shadows: Sequence[Shadow], as_of: datetime) -> Change | None:
    before = champions(registry.changes()).get(key)
    follows = 0 if before is None else before.number
    told = json.dumps({"shadows": [each._asdict() for each in shadows], "drift": list(why.drift)}, sort_keys=True)
    change = Change(*key, follows, version, why.cause, why.reason, told, as_of, why.by, change_id(*key, follows))
    return change if registry.change(change) else None
