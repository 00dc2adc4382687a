-- One row per version of an experiment, variant, metric and day of a look: what all units first exposed until the end of that day came to.
with units as (
    select * from {{ ref('int_experiment_units__exposed') }}
),

moved as (
    select
        tenant_id,
        experiment_id,
        valid_from,
        variant,
        metric,
        moved_date,
        sum(exposures) as exposed_count,
        sum(case when is_in_range then exposures else 0 end) as n,
        sum(case when is_in_range then value_after - value_before else 0 end) as value_sum,
        sum(case when is_in_range then value_after * value_after - value_before * value_before else 0 end) as value_squares,
        sum(case when is_in_range then other_after - other_before else 0 end) as other_sum,
        sum(case when is_in_range then other_after * other_after - other_before * other_before else 0 end) as other_squares,
        sum(case when is_in_range then value_after * other_after - value_before * other_before else 0 end) as products
    from {{ ref('int_experiment_values__moved') }}
    group by tenant_id, experiment_id, valid_from, variant, metric, moved_date
),

-- A day on which anything moved is a look for all variants and metrics of the version; a unit that did not cross moves when it is exposed.
looks as (
    select tenant_id, experiment_id, valid_from, moved_date as look_date from moved
    union
    select tenant_id, experiment_id, valid_from, exposed_date as look_date from units
    where crossed_date is not null
    union
    select tenant_id, experiment_id, valid_from, crossed_date as look_date from units
    where crossed_date is not null
),

variants as (
    select tenant_id, experiment_id, valid_from, variant, is_control, true as is_known_variant from {{ source('reference', 'experiments') }}
    union all
    select distinct tenant_id, experiment_id, valid_from, variant, false as is_control, false as is_known_variant from units
    where not is_known_variant
),

cells as (
    select
        looks.tenant_id,
        looks.experiment_id,
        looks.valid_from,
        looks.look_date,
        variants.variant,
        variants.is_control,
        variants.is_known_variant,
        metrics.metric,
        metrics.role,
        metrics.kind,
        metrics.covariate_seconds > 0 as has_covariate
    from looks
    inner join variants
        on
            looks.tenant_id = variants.tenant_id
            and looks.experiment_id = variants.experiment_id
            and looks.valid_from = variants.valid_from
    inner join {{ source('reference', 'experiment_metrics') }} as metrics
        on
            looks.tenant_id = metrics.tenant_id
            and looks.experiment_id = metrics.experiment_id
            and looks.valid_from = metrics.valid_from
),

crossed as (
    select tenant_id, experiment_id, valid_from, variant, crossed_date, count(*) as crossover_count from units
    where crossed_date is not null
    group by tenant_id, experiment_id, valid_from, variant, crossed_date
),

-- Of every cell the running totals: what did not move that day is carried on.
summed as (
    select
        cells.*,
        cast(coalesce(sum(moved.exposed_count) over so_far, 0) as bigint) as exposed_count,
        cast(coalesce(sum(crossed.crossover_count) over so_far, 0) as bigint) as crossover_count,
        cast(coalesce(sum(moved.n) over so_far, 0) as bigint) as n,
        cast(coalesce(sum(moved.value_sum) over so_far, 0) as {{ wide_type() }}) as value_sum,
        cast(coalesce(sum(moved.value_squares) over so_far, 0) as {{ wide_type() }}) as value_squares,
        cast(coalesce(sum(moved.other_sum) over so_far, 0) as {{ wide_type() }}) as other_sum,
        cast(coalesce(sum(moved.other_squares) over so_far, 0) as {{ wide_type() }}) as other_squares,
        cast(coalesce(sum(moved.products) over so_far, 0) as {{ wide_type() }}) as products
    from cells
    left join moved
        on
            cells.tenant_id = moved.tenant_id
            and cells.experiment_id = moved.experiment_id
            and cells.valid_from = moved.valid_from
            and cells.variant = moved.variant
            and cells.metric = moved.metric
            and cells.look_date = moved.moved_date
    left join crossed
        on
            cells.tenant_id = crossed.tenant_id
            and cells.experiment_id = crossed.experiment_id
            and cells.valid_from = crossed.valid_from
            and cells.variant = crossed.variant
            and cells.look_date = crossed.crossed_date
    window so_far as (
        partition by cells.tenant_id, cells.experiment_id, cells.valid_from, cells.variant, cells.metric
        order by cells.look_date
        rows between unbounded preceding and current row
    )
),

-- A whole number of steps near each mean, so that what is left to compute with is small.
near as (
    select
        *,
        cast(cast(round(cast(value_sum as {{ double_type() }}) / nullif(n, 0)) as bigint) as {{ wide_type() }}) as value_whole,
        cast(cast(round(cast(other_sum as {{ double_type() }}) / nullif(n, 0)) as bigint) as {{ wide_type() }}) as other_whole
    from summed
),

centred as (
    select
        *,
        value_sum - value_whole * n as value_rest,
        other_sum - other_whole * n as other_rest
    from near
),

measured as (
    select
        *,
        (cast(value_whole as {{ double_type() }}) + cast(value_rest as {{ double_type() }}) / nullif(n, 0)) / 100000 as mean,
        {{ deviations('value', 'value', 'value_squares') }} as m2,
        (cast(other_whole as {{ double_type() }}) + cast(other_rest as {{ double_type() }}) / nullif(n, 0)) / 100000 as other_mean,
        {{ deviations('other', 'other', 'other_squares') }} as other_m2,
        {{ deviations('value', 'other', 'products') }} as comoment,
        cast(value_sum as {{ double_type() }}) / 100000 as value_total,
        cast(other_sum as {{ double_type() }}) / 100000 as other_total,
        kind = 'ratio' as is_ratio,
        kind = 'ratio' or has_covariate as is_pair,
        case when kind = 'proportion' then value_sum end as hit_steps
    from centred
)

select
    tenant_id,
    experiment_id,
    variant,
    metric,

    role,
    kind,

    is_control,
    is_known_variant,
    exposed_count,
    crossover_count,
    n,
    cast({{ whole_division('cast(hit_steps as bigint)', '100000') }} as bigint) as hits,
    mean,
    m2,
    m2 / nullif(n - 1, 0) as variance,
    case when is_pair then other_mean end as other_mean,
    case when is_pair then other_m2 end as other_m2,
    case when is_pair then comoment end as comoment,
    case when is_pair then comoment / nullif(n - 1, 0) end as covariance,
    case when is_ratio then value_total end as numerator,
    case when is_ratio then other_total end as denominator,

    look_date,
    valid_from
from measured
