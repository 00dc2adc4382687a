"""Dated reference data: the rows by which history is judged, one Struct a table of the warehouse's schema `reference`.

Here belong the shapes of those rows; `valid_from` and `valid_to` (absent: for ever) are half-open, UTC.
Not here: the file that people write (`core.tenancy`), where rows are kept (`orchestration.resources`).
"""

from datetime import datetime
from typing import ClassVar, Literal

from msgspec import Struct


class ReferenceRow(Struct, kw_only=True, frozen=True):
    """What all reference rows carry."""

    table: ClassVar[str]
    tenant_id: str


class DatedRow(ReferenceRow, kw_only=True, frozen=True):
    """A reference row that is valid in the half-open range [`valid_from`, `valid_to`)."""

    valid_from: datetime
    valid_to: datetime | None = None


class Tenant(ReferenceRow, kw_only=True, frozen=True):
    """One tenant."""

    table: ClassVar[str] = "tenants"
    timezone: str
    default_region: str
    currency: str


class Connection(DatedRow, kw_only=True, frozen=True):
    """One account of a source that belongs to the tenant. A WhatsApp connection gives a row for the WABA id and one for each number."""

    table: ClassVar[str] = "connections"
    connection_id: str
    source: str
    account_id: str


class Person(DatedRow, kw_only=True, frozen=True):
    """One member of the tenant's staff; names and addresses stay in the vault."""

    table: ClassVar[str] = "people"
    person_id: str
    role: Literal["viewer", "operator", "manager", "admin"]
    calendar_id: str


class SlaPolicy(DatedRow, kw_only=True, frozen=True):
    """One service-level target, in business seconds of the calendar."""

    table: ClassVar[str] = "sla_policies"
    policy_id: str
    tier: Literal["HOT", "WARM", "COLD", "ANY"]
    metric: Literal["first_response", "next_response", "resolution", "hand_over"]
    target_seconds: int
    calendar_id: str
    is_bot_reply_counted: bool


class CreditRate(DatedRow, kw_only=True, frozen=True):
    """Tokens credited for each major unit of the currency (100 minor), and how long they live; without days, for ever."""

    table: ClassVar[str] = "credit_rates"
    currency: str
    tokens_per_major: int
    expires_after_days: int | None = None
    expires_not_before: datetime | None = None


class DebitRate(DatedRow, kw_only=True, frozen=True):
    """Tokens debited for each `per_quantity` units used, rounded up; empty text in `model`, `channel`, `category` means any."""

    table: ClassVar[str] = "debit_rates"
    kind: Literal["llm_input", "llm_output", "message", "booking", "enrichment"]
    model: str
    channel: str
    category: str
    per_quantity: int
    tokens: int


class MessagePrice(DatedRow, kw_only=True, frozen=True):
    """What `per_messages` messages of ours cost in the tenant's currency's smallest unit; empty text in `category` means any."""

    table: ClassVar[str] = "message_prices"
    channel: str
    category: str
    price_minor: int
    per_messages: int


class ScoringWeights(DatedRow, kw_only=True, frozen=True):
    """Most points of each factor, and the score from which a lead is HOT or WARM."""

    table: ClassVar[str] = "scoring_weights"
    intent_points: int
    budget_points: int
    timeline_points: int
    engagement_points: int
    signal_points: int
    hot_at: int
    warm_at: int
    typical_deal_minor: int


class Policy(DatedRow, kw_only=True, frozen=True):
    """The tenant's limits; business seconds where the name says so."""

    table: ClassVar[str] = "policies"
    calendar_id: str
    conversation_gap_seconds: int
    no_reply_business_seconds: int
    hot_unassigned_seconds: int
    assigned_idle_business_seconds: int
    next_step_seconds: int
    window_closing_seconds: int
    max_ai_turns: int
    low_confidence: float
    recovery_template: str
    recovery_expires_seconds: int
    quarantine_retention_days: int = 90
    no_show_seconds: int = 86400


class RecoveryStep(DatedRow, kw_only=True, frozen=True):
    """How long a lead must be silent before recovery attempt `attempt` (1, 2, 3), since our last message."""

    table: ClassVar[str] = "recovery_steps"
    attempt: int
    wait_seconds: int


class TokenThreshold(DatedRow, kw_only=True, frozen=True):
    """What is wanted when the balance falls to `percent` of the last top-up or below."""

    table: ClassVar[str] = "token_thresholds"
    percent: int
    action: Literal["alert", "top_up_link", "pause"]


class Experiment(DatedRow, kw_only=True, frozen=True):
    """One variant of an experiment's dated configuration. `allocation_ppm` is its share in millionths.

    `is_killed`: the kill switch made this version, which serves control to everybody.
    """

    table: ClassVar[str] = "experiments"
    experiment_id: str
    variant: str
    is_control: bool
    allocation_ppm: int
    primary_metric: str
    unit: Literal["lead", "conversation"] = "lead"
    horizon_days: int = 30
    stale_after_hours: int = 36
    minimum_effect: float | None = None
    is_killed: bool = False


class ExperimentMetric(DatedRow, kw_only=True, frozen=True):
    """One metric of an experiment's dated configuration: what counts for a unit, within `window_seconds` after its first exposure.

    `role` is its most important part in the experiment; `cap` is set for whatever has a cost cap, `denominator_event` where the kind is
    `ratio`; `covariate_seconds` is 0 where nothing of before the exposure is used.
    """

    table: ClassVar[str] = "experiment_metrics"
    experiment_id: str
    metric: str
    role: Literal["primary", "guardrail", "cost", "other"]
    kind: Literal["proportion", "mean", "ratio"]
    event: str
    denominator_event: str | None = None
    window_seconds: int
    covariate_seconds: int = 0
    is_higher_better: bool = True
    margin: float = 0.0
    cap: float | None = None


class BusinessInterval(ReferenceRow, kw_only=True, frozen=True):
    """One open stretch of a calendar, UTC, half-open; `open_seconds_before` counts all open time of the calendar before it."""

    table: ClassVar[str] = "business_intervals"
    calendar_id: str
    opened_at: datetime
    closed_at: datetime
    open_seconds_before: int


class LeadPoint(DatedRow, kw_only=True, frozen=True):
    """Which lead holds a contact point, and since when; closed when the point changes (identity resolution)."""

    table: ClassVar[str] = "lead_points"
    point_id: str
    lead_id: str
    kind: str


class LeadAlias(ReferenceRow, kw_only=True, frozen=True):
    """A lead id that stands for another one, because their points are one person (identity resolution)."""

    table: ClassVar[str] = "lead_aliases"
    alias_id: str
    lead_id: str


class LeadLink(ReferenceRow, kw_only=True, frozen=True):
    """Evidence by which two holders of points are one lead: `one_id` and `other_id` are the lead ids that each would have alone.

    `evidence_count` counts what was told from `first_at` to `last_at`; `strength` is `strong`, or `accepted` by a person.
    """

    table: ClassVar[str] = "lead_links"
    link_id: str
    lead_id: str
    one_id: str
    other_id: str
    kind: str
    source: str
    strength: str
    evidence_count: int
    first_at: datetime
    last_at: datetime


class Erasure(ReferenceRow, kw_only=True, frozen=True):
    """That the holder of a contact point asked to be erased; `event_id` where the feed told so, `denied_at` where it was denied."""

    table: ClassVar[str] = "erasures"
    request_id: str
    event_id: str | None = None
    point_id: str
    asked_at: datetime
    denied_at: datetime | None = None


class Run(Struct, kw_only=True, frozen=True):
    """The moment that the whole build speaks of: one row. With `known_at`, only what was received by then counts."""

    table: ClassVar[str] = "run"
    as_of: datetime
    known_at: datetime | None = None


REFERENCE_TYPES: tuple[type[Struct], ...] = (
    Tenant, Connection, Person, SlaPolicy, CreditRate, DebitRate, MessagePrice, ScoringWeights, Policy, RecoveryStep, TokenThreshold,
    Experiment, ExperimentMetric, BusinessInterval, LeadPoint, LeadAlias, LeadLink, Erasure, Run,
)  # fmt: skip
"""Every reference table."""


class Build(Struct, kw_only=True, frozen=True):
    """What the tables of the warehouse hold when a build begins: one row. `previous_as_of` is absent where everything is made anew.

    `is_steady`: this build continues one that continued another, so views and seeds are as it would make them.
    """

    table: ClassVar[str] = "build"
    build_id: str
    is_steady: bool
    previous_as_of: datetime | None = None


class TouchedKey(ReferenceRow, kw_only=True, frozen=True):
    """A key whose rows may differ from those of the last build; `scope` says of what: point, lead, message or event."""

    table: ClassVar[str] = "touched"
    scope: str
    key: str


BUILD_TYPES: tuple[type[Struct], ...] = (Build, TouchedKey)
"""What a build is told beside reference rows: how much of the warehouse it must make anew."""
