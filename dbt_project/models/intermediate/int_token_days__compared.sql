-- One row per tenant and local day with enough use to be looked at and enough days before it: the use beside the median of the trailing
-- days, and the tokens from which it is a spike. Medians are kept doubled, deviations again, so that all is whole until the last step.
with limits as (
    select * from {{ ref('token_limits') }}
    where rule = 'spend_spike'
),

spanned as (
    select * from {{ ref('int_token_days__spanned') }}
),

-- A day is judged by the limit that is valid when it begins in UTC.
candidates as (
    select
        spanned.tenant_id,
        spanned.local_date,
        spanned.day_no,
        spanned.used_tokens,
        limits.trailing_days,
        limits.least_days,
        limits.at_least,
        limits.deviations,
        limits.floor_percent
    from spanned
    inner join limits
        on {{ is_valid_at('limits', 'cast(spanned.local_date as ' ~ moment_type() ~ ')') }}
    where spanned.used_tokens >= limits.at_least and spanned.day_no > limits.least_days
),

offsets as (
    select
        tenant_id,
        day_no,
        {{ each_number(1, 'trailing_days') }} as days_before
    from candidates
),

history as (
    select
        offsets.tenant_id,
        offsets.day_no,
        spanned.used_tokens,
        row_number() over (
            partition by offsets.tenant_id, offsets.day_no
            order by spanned.used_tokens, spanned.day_no
        ) as place,
        count(*) over (partition by offsets.tenant_id, offsets.day_no) as day_count
    from offsets
    inner join spanned
        on
            offsets.tenant_id = spanned.tenant_id
            and spanned.day_no = offsets.day_no - offsets.days_before
),

medians as (
    select
        *,
        sum(
            case
                when place * 2 in (day_count, day_count + 2) then used_tokens
                when place * 2 = day_count + 1 then 2 * used_tokens
                else 0
            end
        ) over (partition by tenant_id, day_no) as doubled_median
    from history
),

distances as (
    select
        tenant_id,
        day_no,
        day_count,
        doubled_median,
        abs(2 * used_tokens - doubled_median) as doubled_distance,
        row_number() over (
            partition by tenant_id, day_no
            order by abs(2 * used_tokens - doubled_median), place
        ) as place
    from medians
),

compared as (
    select
        tenant_id,
        day_no,
        max(day_count) as day_count,
        cast(max(doubled_median) as {{ double_type() }}) / 2 as median_tokens,
        cast(sum(
            case
                when place * 2 in (day_count, day_count + 2) then doubled_distance
                when place * 2 = day_count + 1 then 2 * doubled_distance
                else 0
            end
        ) as {{ double_type() }}) / 4 as mad_tokens
    from distances
    group by tenant_id, day_no
),

-- 1.4826 makes the median absolute deviation of a normal distribution its standard deviation (Rousseeuw and Croux 1993).
scaled as (
    select
        candidates.*,
        compared.median_tokens,
        compared.mad_tokens,
        greatest(1.482602218505602 * compared.mad_tokens, compared.median_tokens * candidates.floor_percent / 100, 1) as scale_tokens
    from candidates
    inner join compared
        on
            candidates.tenant_id = compared.tenant_id
            and candidates.day_no = compared.day_no
    where compared.day_count >= candidates.least_days
),

final as (
    select
        tenant_id,
        local_date,
        used_tokens,
        median_tokens,
        mad_tokens,
        (used_tokens - median_tokens) / scale_tokens as robust_z,
        deviations,
        median_tokens + greatest(deviations * scale_tokens, at_least) as spike_from_tokens
    from scaled
)

select * from final
