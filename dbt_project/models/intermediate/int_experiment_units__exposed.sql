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
        row_number() over (partition by tenant_id, experiment_id, unit_id order by occurred_at, event_id) as exposure_no
    from exposures
    where unit_id is not null
),

firsts as (
    select * from ordered
    where exposure_no = 1
),

-- Few see a second variant; the others need not be looked at again.
mixed as (
    select tenant_id, experiment_id, unit_id from exposures
    where unit_id is not null
    group by tenant_id, experiment_id, unit_id
    having min(variant) <> max(variant)
),

crossings as (
    select
        exposures.tenant_id,
        exposures.experiment_id,
        exposures.unit_id,
        min(exposures.occurred_at) as crossed_at
    from exposures
    inner join mixed
        on
            exposures.tenant_id = mixed.tenant_id
            and exposures.experiment_id = mixed.experiment_id
            and exposures.unit_id = mixed.unit_id
    inner join firsts
        on
            exposures.tenant_id = firsts.tenant_id
            and exposures.experiment_id = firsts.experiment_id
            and exposures.unit_id = firsts.unit_id
    where exposures.variant <> firsts.variant
    group by exposures.tenant_id, exposures.experiment_id, exposures.unit_id
),

units as (
    select
        firsts.tenant_id,
        firsts.experiment_id,
        firsts.unit_id,
        firsts.unit,
        firsts.variant,
        firsts.point_kind,
        firsts.valid_from,
        firsts.occurred_at as exposed_at,
        crossings.crossed_at
    from firsts
    left join crossings
        on
            firsts.tenant_id = crossings.tenant_id
            and firsts.experiment_id = crossings.experiment_id
            and firsts.unit_id = crossings.unit_id
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
