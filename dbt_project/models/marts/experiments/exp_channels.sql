-- One row per version of an experiment, variant, metric and channel by which units were first exposed: what they came to until now.
with units as (
    select
        tenant_id,
        experiment_id,
        unit_id,
        variant,
        valid_from,
        case point_kind
            when 'phone' then 'whatsapp'
            when 'wa_user_id' then 'whatsapp'
            when 'igsid' then 'instagram'
            when 'psid' then 'messenger'
            when 'email' then 'gmail'
            else 'other'
        end as channel
    from {{ ref('int_experiment_units__exposed') }}
    where crossed_at is null
),

totals as (
    select
        moved.tenant_id,
        moved.experiment_id,
        moved.unit_id,
        moved.metric,
        units.variant,
        units.valid_from,
        units.channel,
        cast(sum(moved.value_after - moved.value_before) as {{ wide_type() }}) as value
    from {{ ref('int_experiment_values__moved') }} as moved
    inner join units
        on
            moved.tenant_id = units.tenant_id
            and moved.experiment_id = units.experiment_id
            and moved.unit_id = units.unit_id
    where moved.is_in_range
    group by
        moved.tenant_id, moved.experiment_id, moved.unit_id, moved.metric, units.variant, units.valid_from, units.channel
),

summed as (
    select
        tenant_id,
        experiment_id,
        valid_from,
        variant,
        metric,
        channel,
        count(*) as n,
        cast(sum(value) as {{ wide_type() }}) as value_sum,
        cast(sum(value * value) as {{ wide_type() }}) as value_squares
    from totals
    group by tenant_id, experiment_id, valid_from, variant, metric, channel
),

near as (
    select
        *,
        cast(cast(round(cast(value_sum as {{ double_type() }}) / n) as bigint) as {{ wide_type() }}) as value_whole
    from summed
),

centred as (
    select
        *,
        value_sum - value_whole * n as value_rest
    from near
)

select
    tenant_id,
    experiment_id,
    variant,
    metric,
    channel,

    n,
    (cast(value_whole as {{ double_type() }}) + cast(value_rest as {{ double_type() }}) / n) / 100000 as mean,
    {{ deviations('value', 'value', 'value_squares') }} / nullif(n - 1, 0) as variance,

    valid_from
from centred
