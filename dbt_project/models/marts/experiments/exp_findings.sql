-- One row per experiment and reason for which exposures, units or values do not count as they were told.
with versions as (
    select distinct tenant_id, experiment_id, unit, is_killed, valid_from, valid_to from {{ source('reference', 'experiments') }}
),

events as (
    select
        events.*,
        versions.experiment_id as version_id,
        versions.is_killed,
        case versions.unit when 'lead' then events.lead_id else events.conversation_id end as unit_id
    from {{ ref('int_experiment_events__identified') }} as events
    left join versions
        on
            events.tenant_id = versions.tenant_id
            and events.experiment_id = versions.experiment_id
            and {{ is_valid_at('versions', 'events.occurred_at') }}
    where events.experiment_id is not null
),

findings as (
    select tenant_id, experiment_id, 'exposed_without_version' as finding, 'exposure' as counted, occurred_at from events
    where event = '@exposed' and version_id is null
    union all
    select tenant_id, experiment_id, 'exposed_after_kill' as finding, 'exposure' as counted, occurred_at from events
    where event = '@exposed' and is_killed
    union all
    select tenant_id, experiment_id, 'exposed_without_unit' as finding, 'exposure' as counted, occurred_at from events
    where event = '@exposed' and not is_killed and unit_id is null
    union all
    select tenant_id, experiment_id, 'value_out_of_range' as finding, 'value' as counted, occurred_at from events
    where event <> '@exposed' and not is_in_range
    union all
    select tenant_id, experiment_id, 'unknown_variant' as finding, 'unit' as counted, exposed_at as occurred_at
    from {{ ref('int_experiment_units__exposed') }}
    where not is_known_variant
    union all
    select tenant_id, experiment_id, 'two_variants' as finding, 'unit' as counted, crossed_at as occurred_at
    from {{ ref('int_experiment_units__exposed') }}
    where crossed_at is not null
)

select
    tenant_id,
    experiment_id,

    finding,
    counted,

    count(*) as finding_count,

    min(occurred_at) as first_at,
    max(occurred_at) as last_at
from findings
group by tenant_id, experiment_id, finding, counted
