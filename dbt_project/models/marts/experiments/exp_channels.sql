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
        cast(sum(moved.value_after - moved.value_before) as {{ double_type() }}) / 100000 as value
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

means as (
    select tenant_id, experiment_id, valid_from, variant, metric, channel, count(*) as n, avg(value) as mean from totals
    group by tenant_id, experiment_id, valid_from, variant, metric, channel
),

final as (
    select
        means.tenant_id,
        means.experiment_id,
        means.variant,
        means.metric,
        means.channel,

        means.n,
        means.mean,
        sum((totals.value - means.mean) * (totals.value - means.mean)) / nullif(means.n - 1, 0) as variance,

        means.valid_from
    from means
    inner join totals
        on
            means.tenant_id = totals.tenant_id
            and means.experiment_id = totals.experiment_id
            and means.valid_from = totals.valid_from
            and means.variant = totals.variant
            and means.metric = totals.metric
            and means.channel = totals.channel
    group by
        means.tenant_id, means.experiment_id, means.variant, means.metric, means.channel, means.n, means.mean, means.valid_from
)

select * from final
