-- One row per experiment and unit that was exposed: its first exposure, the version valid then, and when it saw a second variant.
with versions as (
    select distinct tenant_id, experiment_id, unit, valid_from, valid_to from {{ source('reference', 'experiments') }}
    where not is_killed
),

exposures as (
    select
        events.tenant_id,
        events.experiment_id,
        case versions.unit when 'lead' then events.lead_id else events.conversation_id end as unit_id,
        versions.unit,
        versions.valid_from,
        events.event_id,
        events.variant,
        events.point_kind,
        events.occurred_at
    from {{ ref('int_experiment_events__identified') }} as events
    inner join versions
        on
            events.tenant_id = versions.tenant_id
            and events.experiment_id = versions.experiment_id
            and {{ is_valid_at('versions', 'events.occurred_at') }}
    where events.event = '@exposed'
),

ordered as (
    select
        *,
        row_number() over (partition by tenant_id, experiment_id, unit_id order by occurred_at, event_id) as exposure_no,
        first_value(variant) over (partition by tenant_id, experiment_id, unit_id order by occurred_at, event_id) as first_variant
    from exposures
    where unit_id is not null
),

units as (
    select
        tenant_id,
        experiment_id,
        unit_id,
        max(case when exposure_no = 1 then unit end) as unit,
        max(first_variant) as variant,
        max(case when exposure_no = 1 then point_kind end) as point_kind,
        max(case when exposure_no = 1 then valid_from end) as valid_from,
        min(occurred_at) as exposed_at,
        min(case when variant <> first_variant then occurred_at end) as crossed_at
    from ordered
    group by tenant_id, experiment_id, unit_id
),

final as (
    select
        units.*,
        variants.variant is not null as is_known_variant,
        {{ local_date('units.exposed_at', 'tenants.timezone') }} as exposed_date,
        {{ local_date('units.crossed_at', 'tenants.timezone') }} as crossed_date
    from units
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on units.tenant_id = tenants.tenant_id
    left join {{ source('reference', 'experiments') }} as variants
        on
            units.tenant_id = variants.tenant_id
            and units.experiment_id = variants.experiment_id
            and units.valid_from = variants.valid_from
            and units.variant = variants.variant
)

select * from final
