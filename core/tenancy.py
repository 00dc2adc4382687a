"""The tenants file: what people write about a tenant, as Structs; their JSON Schema is `docs/tenants.schema.json`.

Here belong the shapes, their defaults and what each field means. Not here: reading the YAML (`tenancy_file`), rules that span
several fields (`tenancy_checks`), the rows that come out of it (`tenancy_rows`).
"""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from core.tenancy_base import DAY, HOUR, Dated, Identifier, Moment, Seconds, Strict, Text
from core.tenancy_sending import MessageText, Sending

AccountId = Annotated[str, Meta(min_length=1, description="In quotes: vendors' ids are digits, and YAML would read a number.")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Points = Annotated[int, Meta(ge=0, le=100)]
Topic = Annotated[str, Meta(pattern=r"^projects/[^/\s]+/topics/[^/\s]+$", description="Gmail only: a Pub/Sub topic.")]
Source = Literal["whatsapp", "instagram", "messenger", "gmail", "razorpay", "calendly", "platform"]


class SecretRef(Strict, frozen=True):
    """Where a secret is, never the secret itself: a variable, or a file of mode 0600 relative to the tenants file."""

    env: Text | None = None
    file: Text | None = None


class Connection(Dated, frozen=True, kw_only=True):
    """One account of a source. For WhatsApp `account_id` is the WABA id and `numbers` its phone number ids.

    `access_token` is what we ask the vendor with: for Razorpay `key_id:key_secret`, for Gmail the JSON that Google gives for a user
    (authorized_user) or a service account, else a token. `watch_topic` is where Gmail tells that a mailbox changed.
    """

    id: Identifier
    source: Source
    account_id: AccountId
    numbers: list[AccountId] = []
    verify_secrets: Annotated[list[SecretRef], Meta(max_length=2, description="Two while one replaces the other.")] = []
    access_token: SecretRef | None = None
    watch_topic: Topic | None = None


class Destination(Dated, frozen=True, kw_only=True):
    """Where alerts go (a web address, or mailto: and an address), or what we call back. `secret` signs what we send to a web address."""

    id: Identifier
    kind: Literal["alerts", "callback"]
    url: Annotated[str, Meta(pattern=r"^(https?://|mailto:[^@\s]+@[^@\s]+$)")] | SecretRef
    secret: SecretRef | None = None


class Person(Dated, frozen=True, kw_only=True):
    """One member of the tenant's staff. `name` and `email` are kept encrypted, in the vault alone."""

    id: Identifier
    name: Text
    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$")]
    role: Literal["viewer", "operator", "manager", "admin"]
    calendar: Identifier


class Week(Strict, frozen=True):
    """Shifts of each day: "09:00-18:00", overnight "22:00-06:00" (of the day on which it starts), "18:00-24:00"."""

    mon: list[str] = []
    tue: list[str] = []
    wed: list[str] = []
    thu: list[str] = []
    fri: list[str] = []
    sat: list[str] = []
    sun: list[str] = []


class Calendar(Dated, frozen=True, kw_only=True):
    """Opening hours in a time zone; a holiday removes the shifts that start on it."""

    id: Identifier
    timezone: Text
    week: Week
    holidays: list[date] = []


class SlaPolicy(Dated, frozen=True, kw_only=True):
    """One target in business seconds of a calendar."""

    id: Identifier
    tier: Literal["HOT", "WARM", "COLD", "ANY"] = "ANY"
    metric: Literal["first_response", "next_response", "resolution", "hand_over"]
    target_seconds: Seconds
    calendar: Identifier
    is_bot_reply_counted: bool = False


class CreditRate(Dated, frozen=True, kw_only=True):
    """Tokens for each major unit paid. They expire `expires_after_days` (of 24 h) after the credit, but not before `expires_not_before`."""

    currency: Currency
    tokens_per_major: Annotated[int, Meta(gt=0)]
    expires_after_days: Annotated[int, Meta(gt=0, le=36_500, description="Without it, never.")] | None = None
    expires_not_before: Moment | None = None


class DebitRate(Dated, frozen=True, kw_only=True):
    """Tokens for each `per_quantity` units used, rounded up; an empty `model`, `channel` or `category` means any."""

    kind: Literal["llm_input", "llm_output", "message", "booking", "enrichment"]
    model: str = ""
    channel: str = ""
    category: str = ""
    per_quantity: Annotated[int, Meta(gt=0)] = 1
    tokens: Annotated[int, Meta(ge=0)]


class MessagePrice(Dated, frozen=True, kw_only=True):
    """What `per_messages` messages of ours cost, in the tenant's currency's smallest unit; an empty `category` means any."""

    channel: Literal["whatsapp", "instagram", "messenger", "gmail"]
    category: str = ""
    price_minor: Annotated[int, Meta(ge=0)]
    per_messages: Annotated[int, Meta(gt=0, description="More than 1 where one costs a fraction: 1150 for 100 are 11.5 each.")] = 1


class ScoringWeights(Dated, frozen=True, kw_only=True):
    """Most points of each factor (100 in all), and the scores from which a lead is HOT or WARM."""

    intent_points: Points = 30
    budget_points: Points = 20
    timeline_points: Points = 20
    engagement_points: Points = 20
    signal_points: Points = 10
    hot_at: Points = 70
    warm_at: Points = 40
    typical_deal_minor: Annotated[int, Meta(gt=0)]


class TokenThreshold(Strict, frozen=True, kw_only=True):
    """What happens when the balance falls to `percent` of the last top-up."""

    percent: Annotated[int, Meta(ge=0, le=100)]
    action: Literal["alert", "top_up_link", "pause"]


_THRESHOLDS = (
    TokenThreshold(percent=20, action="alert"),
    TokenThreshold(percent=10, action="top_up_link"),
    TokenThreshold(percent=0, action="pause"),
)


class Policy(Dated, frozen=True, kw_only=True):
    """The tenant's limits. `calendar` counts where a name says business; `recovery_wait_seconds` is one wait an attempt."""

    calendar: Identifier
    conversation_gap_seconds: Seconds = 72 * HOUR
    no_reply_business_seconds: Seconds = 30 * 60
    hot_unassigned_seconds: Seconds = 15 * 60
    assigned_idle_business_seconds: Seconds = 4 * HOUR
    next_step_seconds: Seconds = DAY
    window_closing_seconds: Seconds = 2 * HOUR
    no_show_seconds: Seconds = DAY
    max_ai_turns: Annotated[int, Meta(gt=0)] = 6
    low_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.5
    quarantine_retention_days: Annotated[int, Meta(gt=0, le=3650, description="Then what could not be taken in loses its body.")] = 90
    recovery_template: Text = "recovery_1"
    recovery_expires_seconds: Seconds = 7 * DAY
    recovery_wait_seconds: Annotated[tuple[Seconds, ...], Meta(max_length=10)] = (DAY, 3 * DAY, 7 * DAY)
    token_thresholds: tuple[TokenThreshold, ...] = _THRESHOLDS


class Variant(Strict, frozen=True, kw_only=True):
    """One arm of an experiment."""

    name: Identifier
    allocation_percent: Annotated[float, Meta(ge=0, le=100)]
    is_control: bool = False


class Metric(Strict, frozen=True, kw_only=True):
    """How a metric is counted for each unit, within `window_days` after its first exposure; `event` is `name` unless said otherwise.

    `proportion`: whether any such event with a value other than 0 came. `mean`: the sum of their values, 0 without any. `ratio`: the sum
    over that of `denominator_event`. An event is the name of an observed metric, or one of the warehouse's own: @won, @lost,
    @opted_out (blocks too), @blocked, @inbound (messages of the lead), @tokens (tokens debited). `covariate_days`: the same events this
    long before the exposure reduce the variance (CUPED).
    """

    name: Text
    kind: Literal["proportion", "mean", "ratio"] = "proportion"
    event: Text | None = None
    denominator_event: Text | None = None
    window_days: Annotated[int, Meta(gt=0, le=365)] | None = None
    covariate_days: Annotated[int, Meta(gt=0, le=365)] | None = None


class Guardrail(Strict, frozen=True, kw_only=True):
    """A metric that must not get worse than the control's by more than `margin`, a share of the control's."""

    metric: Text
    is_higher_better: bool = False
    margin: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class CostCap(Strict, frozen=True, kw_only=True):
    """What a unit may cost on average, in the metric's own unit."""

    metric: Text
    cap: Annotated[float, Meta(gt=0)]


class Experiment(Dated, frozen=True, kw_only=True):
    """One experiment; allocations add up to 100 and exactly one variant is the control.

    A metric that is named and not defined under `metrics` is a proportion within the horizon. `minimum_effect` is the difference worth
    finding, in the primary metric's unit.
    """

    id: Identifier
    unit: Literal["lead", "conversation"] = "lead"
    primary_metric: Text
    is_higher_better: bool = True
    minimum_effect: Annotated[float, Meta(gt=0)] | None = None
    horizon_days: Annotated[int, Meta(gt=0, le=365)] = 30
    stale_after_hours: Annotated[
        int,
        Meta(
            gt=0, le=720, description="How old the newest statistics may be before control is served: more where days pass without a lead."
        ),
    ] = 36
    guardrails: list[Guardrail] = []
    cost_cap: CostCap | None = None
    metrics: list[Metric] = []
    variants: Annotated[list[Variant], Meta(min_length=2)]


class Tenant(Strict, frozen=True, kw_only=True):
    """One tenant with all that history is judged by."""

    id: Identifier
    name: Text
    timezone: Text
    default_region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="How a phone without country code is read.")]
    currency: Currency
    connections: Annotated[list[Connection], Meta(min_length=1)]
    calendars: Annotated[list[Calendar], Meta(min_length=1)]
    policies: Annotated[list[Policy], Meta(min_length=1)]
    scoring_weights: Annotated[list[ScoringWeights], Meta(min_length=1)]
    credit_rates: Annotated[list[CreditRate], Meta(min_length=1)]
    debit_rates: list[DebitRate] = []
    message_prices: list[MessagePrice] = []
    sla_policies: list[SlaPolicy] = []
    people: list[Person] = []
    destinations: list[Destination] = []
    experiments: list[Experiment] = []
    sending: list[Sending] = []
    texts: list[MessageText] = []


class TenantsFile(Strict, frozen=True, kw_only=True):
    """The whole file."""

    version: Literal[1]
    tenants: Annotated[list[Tenant], Meta(min_length=1)]


def json_schema() -> dict[str, Any]:
    """The published schema, for editors; `tenancy_checks` adds what a schema cannot say."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Flexoraa tenants file"}
    return head | msgspec.json.schema(TenantsFile)
