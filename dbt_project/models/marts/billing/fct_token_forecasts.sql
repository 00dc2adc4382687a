-- One row per tenant with a wallet: when it runs out if the days to come are like the trailing ones, or why nobody can say.
with limits as (
    select * from {{ ref('token_limits') }}
    where rule = 'run_out'
),

-- From the whole hour on, so that a moment more changes nothing.
hours as (
    select {{ from_microseconds(whole_division(microseconds(as_of()), 3600000000) ~ ' * 3600000000') }} as forecast_at
),

spanned as (
    select * from {{ ref('int_token_days__spanned') }}
),

wallets as (
    select
        spanned.tenant_id,
        spanned.local_date,
        spanned.day_no,
        spanned.balance_tokens,
        limits.trailing_days,
        limits.least_days,
        limits.deviations
    from spanned
    left join limits
        on {{ is_valid_at('limits', as_of()) }}
    where spanned.is_current
),

-- Whole days only: not today, and not the first, which began before there was a wallet.
observed as (
    select
        wallets.tenant_id,
        count(*) as day_count,
        cast(sum(spanned.used_tokens) as bigint) as used_tokens,
        cast(sum(spanned.used_tokens) as {{ double_type() }}) / count(*) as daily_tokens,
        sum(cast(spanned.used_tokens as {{ double_type() }}) * spanned.used_tokens) as used_squares
    from wallets
    inner join spanned
        on
            wallets.tenant_id = spanned.tenant_id
            and wallets.day_no > spanned.day_no
            and wallets.day_no <= spanned.day_no + wallets.trailing_days
            and spanned.day_no > 1
    group by wallets.tenant_id
),

measured as (
    select
        wallets.tenant_id,
        wallets.local_date,
        wallets.balance_tokens,
        wallets.deviations,
        coalesce(observed.day_count, 0) as day_count,
        observed.used_tokens,
        observed.daily_tokens,
        case
            when observed.day_count > 1
                then
                    greatest(observed.used_squares - observed.day_count * observed.daily_tokens * observed.daily_tokens, 0)
                    / (observed.day_count - 1)
        end as variance,
        case
            when wallets.trailing_days is null then 'no_limits'
            when wallets.balance_tokens <= 0 then 'nothing_left'
            when coalesce(observed.day_count, 0) < wallets.least_days then 'not_enough_days'
            when observed.used_tokens = 0 then 'no_usage'
        end as reason
    from wallets
    left join observed
        on wallets.tenant_id = observed.tenant_id
),

-- The use of T days has mean m T and variance s² (T + T²/n): that of the days, and that of the mean. It reaches the balance B, z deviations
-- high or low, where (B - m T)² = z² s² (T + T²/n): a quadratic, of which the smaller root is the earliest day and the larger the latest.
quadratic as (
    select
        *,
        daily_tokens * daily_tokens - deviations * deviations * variance / day_count as lead_term,
        2 * balance_tokens * daily_tokens + deviations * deviations * variance as middle_term,
        4 * cast(balance_tokens as {{ double_type() }}) * balance_tokens as last_term
    from measured
    where reason is null
),

-- Both roots in the form that does not cancel; no latest one where the mean may be zero.
rooted as (
    select
        *,
        last_term / (2 * (middle_term + sqrt(greatest(middle_term * middle_term - lead_term * last_term, 0)))) as earliest_days,
        case
            when lead_term > 0 then (middle_term + sqrt(greatest(middle_term * middle_term - lead_term * last_term, 0))) / (2 * lead_term)
        end as latest_days
    from quadratic
),

durations as (
    select
        measured.*,
        hours.forecast_at,
        case
            when measured.reason is null
                then {{ whole_division('measured.balance_tokens * measured.day_count * 86400', 'measured.used_tokens') }}
        end as seconds_left,
        rooted.earliest_days,
        case when rooted.latest_days < 36500 then rooted.latest_days end as latest_days
    from measured
    cross join hours
    left join rooted
        on measured.tenant_id = rooted.tenant_id
),

final as (
    select
        *,
        case
            when seconds_left < cast(36500 as bigint) * 86400 then {{ add_seconds('forecast_at', 'cast(seconds_left as bigint)') }}
        end as runs_out_at,
        {{ add_seconds('forecast_at', 'cast(floor(earliest_days * 86400) as bigint)') }} as runs_out_earliest_at,
        {{ add_seconds('forecast_at', 'cast(floor(latest_days * 86400) as bigint)') }} as runs_out_latest_at
    from durations
)

select
    tenant_id,

    local_date as forecast_date,

    reason,

    balance_tokens,
    cast(day_count as bigint) as observed_days,
    daily_tokens,

    forecast_at,
    runs_out_at,
    runs_out_earliest_at,
    runs_out_latest_at
from final
