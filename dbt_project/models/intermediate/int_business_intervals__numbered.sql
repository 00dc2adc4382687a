-- One row per open stretch of a calendar, numbered in time, in microseconds since 1970.
with intervals as (
    select
        tenant_id,
        calendar_id,
        {{ microseconds('opened_at') }} as opened_us,
        {{ microseconds('closed_at') }} as closed_us,
        open_seconds_before * 1000000 as open_us_before
    from {{ source('reference', 'business_intervals') }}
),

final as (
    select
        tenant_id,
        calendar_id,

        row_number() over (partition by tenant_id, calendar_id order by opened_us) as interval_no,
        opened_us,
        closed_us,
        open_us_before
    from intervals
)

select * from final
