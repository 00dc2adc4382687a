"""From the tenants file to reference rows: flat, dated, in UTC, without any personal data or secret.

Here belongs the flattening and the key of each row. Not here: where rows and secrets are kept (`orchestration.resources`).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from msgspec import Struct

from core import business_time as bt
from core import reference as ref
from core import tenancy as file
from core.tenancy_base import DAY, Dated

KEYS: Mapping[type[Struct], tuple[str, ...]] = {
    ref.Tenant: (),
    ref.Connection: ("connection_id", "account_id"),
    ref.Person: ("person_id",),
    ref.SlaPolicy: ("policy_id",),
    ref.CreditRate: ("currency",),
    ref.DebitRate: ("kind", "model", "channel", "category"),
    ref.MessagePrice: ("channel", "category"),
    ref.ScoringWeights: (),
    ref.Policy: (),
    ref.RecoveryStep: ("attempt",),
    ref.TokenThreshold: ("percent", "action"),
    ref.Experiment: ("experiment_id", "variant"),
    ref.ExperimentMetric: ("experiment_id", "metric"),
}
"""What tells the rows of one tenant and one moment apart."""


def row_key(row: ref.ReferenceRow) -> str:
    """The key of a row within its tenant and table."""
    return "|".join(str(getattr(row, name)) for name in KEYS[type(row)])


def reference_rows(tenant: file.Tenant) -> list[ref.ReferenceRow]:
    """All rows of a tenant, table by table, in the order of the file."""
    own = ref.Tenant(tenant_id=tenant.id, timezone=tenant.timezone, default_region=tenant.default_region, currency=tenant.currency)
    return [
        own,
        *_connections(tenant),
        *_people(tenant),
        *_sla_policies(tenant),
        *_rates(tenant),
        *_weights(tenant),
        *_policies(tenant),
        *_experiments(tenant),
    ]


def calendars(tenant: file.Tenant) -> list[bt.Calendar]:
    """The calendars of a tenant with their shifts read."""
    return [
        bt.Calendar(
            calendar_id=each.id,
            timezone=each.timezone,
            week=tuple(
                tuple(bt.parse_shift(text) for text in day)
                for day in (
                    each.week.mon,
                    each.week.tue,
                    each.week.wed,
                    each.week.thu,
                    each.week.fri,
                    each.week.sat,
                    each.week.sun,
                )
            ),
            holidays=frozenset(each.holidays),
            valid_from=each.valid_from.astimezone(UTC),
            valid_to=each.valid_to and each.valid_to.astimezone(UTC),
        )
        for each in tenant.calendars
    ]


def accounts(connection: file.Connection) -> list[str]:
    """Every account id by which events of a connection may name it: its own, and for WhatsApp each number."""
    return [connection.account_id, *connection.numbers]


def _when(part: Dated) -> dict[str, Any]:
    return {"valid_from": part.valid_from.astimezone(UTC), "valid_to": part.valid_to and part.valid_to.astimezone(UTC)}


def _connections(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.connections:
        for account_id in accounts(each):
            yield ref.Connection(tenant_id=tenant.id, connection_id=each.id, source=each.source, account_id=account_id, **_when(each))


def _people(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.people:
        yield ref.Person(tenant_id=tenant.id, person_id=each.id, role=each.role, calendar_id=each.calendar, **_when(each))


def _sla_policies(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.sla_policies:
        yield ref.SlaPolicy(
            tenant_id=tenant.id,
            policy_id=each.id,
            tier=each.tier,
            metric=each.metric,
            target_seconds=each.target_seconds,
            calendar_id=each.calendar,
            is_bot_reply_counted=each.is_bot_reply_counted,
            **_when(each),
        )


def _rates(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.credit_rates:
        yield ref.CreditRate(
            tenant_id=tenant.id,
            currency=each.currency,
            tokens_per_major=each.tokens_per_major,
            expires_after_days=each.expires_after_days,
            expires_not_before=each.expires_not_before and each.expires_not_before.astimezone(UTC),
            **_when(each),
        )
    for rate in tenant.debit_rates:
        yield ref.DebitRate(tenant_id=tenant.id, **_same(rate, ref.DebitRate), **_when(rate))
    for price in tenant.message_prices:
        yield ref.MessagePrice(tenant_id=tenant.id, **_same(price, ref.MessagePrice), **_when(price))


def _weights(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.scoring_weights:
        yield ref.ScoringWeights(tenant_id=tenant.id, **_same(each, ref.ScoringWeights), **_when(each))


def _policies(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.policies:
        yield ref.Policy(tenant_id=tenant.id, calendar_id=each.calendar, **_same(each, ref.Policy), **_when(each))
        for attempt, wait in enumerate(each.recovery_wait_seconds, start=1):
            yield ref.RecoveryStep(tenant_id=tenant.id, attempt=attempt, wait_seconds=wait, **_when(each))
        for threshold in each.token_thresholds:
            yield ref.TokenThreshold(tenant_id=tenant.id, percent=threshold.percent, action=threshold.action, **_when(each))


def _experiments(tenant: file.Tenant) -> Iterator[ref.ReferenceRow]:
    for each in tenant.experiments:
        for variant in each.variants:
            yield ref.Experiment(
                tenant_id=tenant.id,
                experiment_id=each.id,
                variant=variant.name,
                is_control=variant.is_control,
                allocation_ppm=allocation_ppm(variant),
                primary_metric=each.primary_metric,
                unit=each.unit,
                horizon_days=each.horizon_days,
                stale_after_hours=each.stale_after_hours,
                minimum_effect=each.minimum_effect,
                **_when(each),
            )
        for metric in metrics(each):
            yield _metric(tenant, each, metric)


def metrics(experiment: file.Experiment) -> list[file.Metric]:
    """Every metric of an experiment: those that it defines, and those that it only names, which are proportions."""
    named = [experiment.primary_metric, *(each.metric for each in experiment.guardrails)]
    if experiment.cost_cap is not None:
        named.append(experiment.cost_cap.metric)
    defined = {each.name for each in experiment.metrics}
    return [*experiment.metrics, *(file.Metric(name=name) for name in dict.fromkeys(named) if name not in defined)]


def _metric(tenant: file.Tenant, experiment: file.Experiment, metric: file.Metric) -> ref.ExperimentMetric:
    guardrail = next((each for each in experiment.guardrails if each.metric == metric.name), None)
    cost = experiment.cost_cap if experiment.cost_cap is not None and experiment.cost_cap.metric == metric.name else None
    is_primary = metric.name == experiment.primary_metric
    return ref.ExperimentMetric(
        tenant_id=tenant.id,
        experiment_id=experiment.id,
        metric=metric.name,
        role="primary" if is_primary else "guardrail" if guardrail else "cost" if cost else "other",
        kind=metric.kind,
        event=metric.event or metric.name,
        denominator_event=metric.denominator_event,
        window_seconds=(metric.window_days or experiment.horizon_days) * DAY,
        covariate_seconds=(metric.covariate_days or 0) * DAY,
        is_higher_better=experiment.is_higher_better if is_primary else guardrail.is_higher_better if guardrail else cost is None,
        margin=guardrail.margin if guardrail else 0.0,
        cap=cost.cap if cost else None,
        **_when(experiment),
    )


def allocation_ppm(variant: file.Variant) -> int:
    """A variant's share in millionths."""
    return round(variant.allocation_percent * 10_000)


def _same(part: Dated, row: type[Struct]) -> dict[str, Any]:
    """The fields that the file and the row call by the same name, without the validity."""
    names = set(part.__struct_fields__) & set(row.__struct_fields__) - {"valid_from", "valid_to"}
    return {name: getattr(part, name) for name in names}
