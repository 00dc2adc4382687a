-- One row per experiment, unit, metric and local day on which the unit was exposed or its value moved: before and after the day, in steps.
with units as (
    select
        units.tenant_id,
        units.experiment_id,
        units.unit_id,
        units.unit,
        units.variant,
        units.valid_from,
        units.exposed_at,
        units.exposed_date,
        metrics.metric,
        metrics.kind,
        metrics.event,
        metrics.denominator_event,
        {{ add_seconds('units.exposed_at', '-metrics.covariate_seconds') }} as known_from,
        {{ add_seconds('units.exposed_at', 'metrics.window_seconds') }} as counts_until
    from {{ ref('int_experiment_units__exposed') }} as units
    inner join {{ source('reference', 'experiment_metrics') }} as metrics
        on
            units.tenant_id = metrics.tenant_id
            and units.experiment_id = metrics.experiment_id
            and units.valid_from = metrics.valid_from
    where units.crossed_at is null
),

events as (
    select tenant_id, 'lead' as unit, lead_id as unit_id, experiment_id, event, value, occurred_at
    from {{ ref('int_experiment_events__identified') }}
    where event <> '@exposed' and is_in_range and lead_id is not null
    union all
    select tenant_id, 'conversation' as unit, conversation_id as unit_id, experiment_id, event, value, occurred_at
    from {{ ref('int_experiment_events__identified') }}
    where event <> '@exposed' and is_in_range and conversation_id is not null
),

-- What came before the exposure is known with it: it counts as the covariate, on the day of the exposure.
counted as (
    select
        units.tenant_id,
        units.experiment_id,
        units.unit_id,
        units.metric,
        case
            when events.occurred_at < units.exposed_at then units.exposed_date
            else {{ local_date('events.occurred_at', 'tenants.timezone') }}
        end as moved_date,
        case
            when events.event = units.event and events.occurred_at >= units.exposed_at then {{ steps_of('events.value') }}
            else 0
        end as amount,
        case when events.event = units.event and events.occurred_at >= units.exposed_at and events.value <> 0 then 1 else 0 end as hits,
        case
            when units.kind = 'ratio' and events.event = units.denominator_event and events.occurred_at >= units.exposed_at
                then {{ steps_of('events.value') }}
            when units.kind = 'mean' and events.event = units.event and events.occurred_at < units.exposed_at
                then {{ steps_of('events.value') }}
            else 0
        end as other_amount
    from units
    inner join events
        on
            units.tenant_id = events.tenant_id
            and units.unit = events.unit
            and units.unit_id = events.unit_id
            and events.event in (units.event, units.denominator_event)
            and (events.experiment_id is null or units.experiment_id = events.experiment_id)
            and units.known_from <= events.occurred_at
            and units.counts_until > events.occurred_at
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on units.tenant_id = tenants.tenant_id
),

moving as (
    select distinct tenant_id, experiment_id, unit_id, metric from counted
),

days as (
    select
        tenant_id,
        experiment_id,
        unit_id,
        metric,
        moved_date,
        sum(amount) as amount,
        sum(other_amount) as other_amount,
        sum(hits) as hits,
        sum(exposures) as exposures
    from (
        select tenant_id, experiment_id, unit_id, metric, moved_date, amount, other_amount, hits, 0 as exposures from counted
        union all
        select
            units.tenant_id, units.experiment_id, units.unit_id, units.metric, units.exposed_date as moved_date,
            cast(0 as {{ wide_type() }}) as amount, cast(0 as {{ wide_type() }}) as other_amount, 0 as hits, 1 as exposures
        from units
        inner join moving
            on
                units.tenant_id = moving.tenant_id
                and units.experiment_id = moving.experiment_id
                and units.unit_id = moving.unit_id
                and units.metric = moving.metric
    ) as moves
    group by tenant_id, experiment_id, unit_id, metric, moved_date
),

running as (
    select
        days.*,
        units.variant,
        units.valid_from,
        units.kind,
        sum(days.amount) over so_far as sum_after,
        sum(days.other_amount) over so_far as other_after,
        sum(days.hits) over so_far as hits_after
    from days
    inner join units
        on
            days.tenant_id = units.tenant_id
            and days.experiment_id = units.experiment_id
            and days.unit_id = units.unit_id
            and days.metric = units.metric
    window so_far as (
        partition by days.tenant_id, days.experiment_id, days.unit_id, days.metric
        order by days.moved_date
        rows between unbounded preceding and current row
    )
),

final as (
    -- What nothing moves but its exposure: most units, without a sort.
    select
        units.tenant_id,
        units.experiment_id,
        units.unit_id,
        units.variant,
        units.metric,

        1 as exposures,
        cast(0 as {{ wide_type() }}) as value_before,
        cast(0 as {{ wide_type() }}) as value_after,
        cast(0 as {{ wide_type() }}) as other_before,
        cast(0 as {{ wide_type() }}) as other_after,
        true as is_in_range,

        units.exposed_date as moved_date,
        units.valid_from
    from units
    left join moving
        on
            units.tenant_id = moving.tenant_id
            and units.experiment_id = moving.experiment_id
            and units.unit_id = moving.unit_id
            and units.metric = moving.metric
    where moving.metric is null
    union all
    select
        tenant_id,
        experiment_id,
        unit_id,
        variant,
        metric,

        exposures,
        case
            when kind <> 'proportion' then sum_after - amount
            when hits_after - hits > 0 then 100000
            else 0
        end as value_before,
        case when kind <> 'proportion' then sum_after when hits_after > 0 then 100000 else 0 end as value_after,
        other_after - other_amount as other_before,
        other_after,
        max(greatest(abs(case when kind = 'proportion' then 0 else sum_after end), abs(other_after))) over (
            partition by tenant_id, experiment_id, unit_id, metric
        ) <= 1000000000000000 as is_in_range,

        moved_date,
        valid_from
    from running
)

select * from final
