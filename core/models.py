"""Models as the platform keeps them: versions, who is champion and why, what a shadow showed, and what follows from drift.

Here belong those shapes, the two decisions (`may_promote`, `answer_drift`) and the actions that tell of them. Not here: how drift is
measured (`ml.drift`) or a shadow is compared (`ml.evaluation`): only their severity, reason and numbers come in. Nor where anything is
kept (`core.model_ports`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal, NamedTuple

from msgspec import Struct

from core.actions import About, Action, key_of, telling

RULE = "model_governance"
"""The rule of actions that tell the product team of a new champion, or of drift after which the old one stays."""

LEVEL = 0.05
"""Two-sided; what is called better is better at this level on rows that neither version was fitted to."""

FEWEST_ROWS, FEWEST_OF_EACH = 100, 20
"""Fresh rows with their outcome, and of them such of either outcome, below which two versions are not compared."""

Severity = Literal["ok", "warn", "critical"]
Cause = Literal["first", "better", "rollback", "retrained", "manual", "kept"]
Key = tuple[str, str]
"""Tenant and model."""


class GovernanceError(Exception):
    """A champion cannot be changed so, or a model not be used; the message says why and what to do."""


class Shadow(NamedTuple):
    """What two versions said of the same rows whose outcome is known since, none of them used to fit either.

    `gain` is the champion's log loss less the other's, a mean over rows in nats: positive where the other is better. Its interval is
    two-sided at `LEVEL`. The areas under the ROC curve are None with one outcome alone.
    """

    version: int
    rows: int
    positives: int
    gain: float
    gain_low: float
    gain_high: float
    champion_auc: float | None = None
    auc: float | None = None


class Verdict(NamedTuple):
    """What is to be done about a champion: a new one (`version`), one to be trained, or none; and why, in words made of numbers."""

    kind: Literal["none", "keep", "promote", "roll_back", "retrain"]
    reason: str
    version: int | None = None


class Why(NamedTuple):
    """Why an entry is written, by whom; `drift` names the drift that it answers: its reason and moment."""

    cause: Cause
    reason: str
    by: str
    drift: tuple[str, ...] = ()


class Change(NamedTuple):
    """One entry of the journal of champions. `version` is champion from `decided_at` on; `follows` is the entry before it, or 0.

    `kept` entries note that a change was called for and refused. `evidence` is JSON of numbers; nothing in an entry is of a person.
    """

    tenant_id: str
    model: str
    follows: int
    version: int
    cause: Cause
    reason: str
    evidence: str
    decided_at: datetime
    decided_by: str
    action_id: str
    number: int = 0


class ModelVersion(Struct, kw_only=True, frozen=True):
    """One trained version, as the journal of versions keeps it: never changed.

    `sha256` is that of the file of the model at `place`, `features_sha256` that of its contract of features; `card` is JSON. `positives`
    are those of all tenants, `own_positives` the tenant's. Rows from `fitted_until` on are fresh: it was fitted to none of them.
    """

    tenant_id: str
    model: str
    version: int
    sha256: str
    features_sha256: str
    place: str
    rows: int
    positives: int
    own_positives: int
    hot_threshold: float
    warm_threshold: float
    horizon_days: int
    card: str
    fitted_until: datetime
    trained_at: datetime
    trained_by: str


class ModelPolicy(NamedTuple):
    """What a model predicts and what mistakes cost, as of a moment: treating a lead as HOT (WARM) that is not won, and the other way round.

    `horizon_days`: won within so many days.
    """

    horizon_days: int
    hot_wasted: float
    hot_missed: float
    warm_wasted: float
    warm_missed: float


class Prediction(Struct, kw_only=True, frozen=True):
    """What one version said of one lead at one instant, and what came of it: a row of the mart and, without outcome, of the log.

    `score_millionths` is the log-odds; `parts` JSON, what each feature added to it. `row_sha256` is of the features' values. `outcome` is
    whether the lead was won within the version's horizon, known at its end (`outcome_at`), for either outcome alike.
    """

    table: ClassVar[str] = "fct_predictions"
    tenant_id: str
    lead_id: str
    model_name: str
    model_version: int
    role: Literal["champion", "shadow"]
    trigger_event_id: str
    row_sha256: str
    score_millionths: int
    probability: float
    tier: Literal["HOT", "WARM", "COLD"]
    hot_threshold: float
    warm_threshold: float
    parts: str
    featured_at: datetime
    predicted_at: datetime
    outcome: bool | None = None
    outcome_at: datetime | None = None


def is_enough(shadow: Shadow) -> bool:
    """Whether there are rows enough to tell two versions apart at all."""
    return shadow.rows >= FEWEST_ROWS and min(shadow.positives, shadow.rows - shadow.positives) >= FEWEST_OF_EACH


def may_promote(shadow: Shadow) -> Verdict:
    """A version takes the champion's place where it is significantly better on fresh rows; "not enough data" is a refusal like another.

    >>> may_promote(Shadow(7, 900, 90, 0.02, 0.01, 0.03)).kind
    'promote'
    >>> may_promote(Shadow(7, 900, 90, 0.02, -0.01, 0.05)).reason
    'version 7 is not shown to be better: gain 0.02000 nats a row, 95 % interval -0.01000 to 0.05000, on 900 rows (90 positive)'
    """
    if not is_enough(shadow):
        return Verdict("keep", f"not enough data on version {shadow.version}: {_rows(shadow)}, {_wanted()}")
    if shadow.gain_low > 0:
        return Verdict("promote", f"version {shadow.version} is better: {_numbers(shadow)}", shadow.version)
    word = "worse" if shadow.gain_high < 0 else "not shown to be better"
    return Verdict("keep", f"version {shadow.version} is {word}: {_numbers(shadow)}")


def answer_drift(severity: Severity, reason: str, as_of: datetime, shadows: Sequence[Shadow], *, is_retrained: bool = False) -> Verdict:
    """What follows from drift of a champion.

    Below critical, nothing. Critical: the last good version takes its place if the shadow evidence says that it is better, else a new
    one is trained; asked again with the evidence on that one (`is_retrained`), it takes the place or the champion is kept.

    Args:
        severity: of the drift.
        reason: why it is of that severity; goes into the answer.
        as_of: the moment of which this speaks.
        shadows: evidence on earlier champions, the last first; or on the retrained version alone.
        is_retrained: whether training has been tried.
    """
    said = f"drift is {severity} at {as_of.isoformat()} ({reason})"
    if severity != "critical":
        return Verdict("none", said)
    verdicts = [may_promote(each) for each in shadows]
    for each in verdicts:
        if each.kind == "promote":
            return Verdict("promote" if is_retrained else "roll_back", f"{said}; {each.reason}", each.version)
    told = "; ".join(each.reason for each in verdicts) or (
        "no version could be trained" if is_retrained else "there was no champion before"
    )
    return Verdict("keep" if is_retrained else "retrain", f"{said}; {told}")


def champions(changes: Iterable[Change]) -> Mapping[Key, Change]:
    """The newest entry on each model: its `version` is champion."""
    return {(each.tenant_id, each.model): each for each in sorted(changes, key=lambda each: each.number)}


def earlier_champions(changes: Iterable[Change], key: Key) -> Sequence[int]:
    """Versions that were champion before the present one, the last first, each once."""
    own = sorted((each for each in changes if (each.tenant_id, each.model) == key), key=lambda each: each.number)
    held = [each.version for each in own if each.cause != "kept"]
    return [each for each in dict.fromkeys(reversed(held)) if each != held[-1]]


def change_id(tenant_id: str, model: str, follows: int) -> str:
    """The action id of the entry that follows another."""
    return key_of(tenant_id, RULE, model, str(follows))


def action_of(change: Change, lifetime: timedelta) -> Action:
    """What tells the product team of an entry, at every address for alerts, webhook or mail: one id, however often it is asked for."""
    told = {
        "model": change.model,
        "version": change.version,
        "cause": change.cause,
        "reason": change.reason,
        "decided_at": change.decided_at.isoformat(),
        "decided_by": change.decided_by,
        "evidence": json.loads(change.evidence),
    }
    kind = "model_champion_kept" if change.cause == "kept" else "model_champion_changed"
    about = About(change.tenant_id, RULE, change.model, str(change.follows))
    return telling(about, kind, "webhook", told, change.decided_at, lifetime, change.action_id)


def _rows(shadow: Shadow) -> str:
    return f"{shadow.rows} rows ({shadow.positives} positive)"


def _wanted() -> str:
    return f"at least {FEWEST_ROWS} and {FEWEST_OF_EACH} of each outcome are wanted"


def _numbers(shadow: Shadow) -> str:
    return f"gain {shadow.gain:.5f} nats a row, 95 % interval {shadow.gain_low:.5f} to {shadow.gain_high:.5f}, on {_rows(shadow)}"
