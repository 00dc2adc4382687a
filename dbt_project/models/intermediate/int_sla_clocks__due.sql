-- One row per judged clock: when 80 percent and all of its target are used up, in microseconds; null where it was paused before that.
with stretches as (
    select * from {{ ref('int_sla_stretches__measured') }}
),

intervals as (
    select * from {{ ref('int_business_intervals__numbered') }}
),

targets as (
    select
        tenant_id,
        clock_id,
        'due' as mark,
        target_seconds * 1000000 as target_us
    from {{ ref('int_sla_clocks__agreed') }}
    where finding is null
    union all
    select
        tenant_id,
        clock_id,
        'warn' as mark,
        target_seconds * 800000 as target_us
    from {{ ref('int_sla_clocks__agreed') }}
    where finding is null
),

-- The stretch in which the target is reached, the last one as if it went on; and how much open time the calendar has had by then.
reached as (
    select
        targets.tenant_id,
        stretches.calendar_id,
        targets.clock_id,
        targets.mark,
        stretches.begins_open_us + targets.target_us - stretches.counted_us_before as open_us
    from targets
    inner join stretches
        on
            targets.tenant_id = stretches.tenant_id
            and targets.clock_id = stretches.clock_id
    where
        stretches.kind = 'counted'
        and targets.target_us > stretches.counted_us_before
        and (stretches.is_last or targets.target_us <= stretches.counted_us_before + stretches.counted_us)
),

-- The inverse lookup: the last interval that begins with less than that much open time behind it.
marks as (
    select
        tenant_id,
        calendar_id,
        cast(null as {{ text_type() }}) as clock_id,
        cast(null as {{ text_type() }}) as mark,
        open_us_before as open_us,
        1 as mark_order,
        1 as opens
    from intervals
    union all
    select
        tenant_id,
        calendar_id,
        clock_id,
        mark,
        open_us,
        0 as mark_order,
        0 as opens
    from reached
),

numbered as (
    select
        *,
        sum(opens) over (
            partition by tenant_id, calendar_id
            order by open_us, mark_order
            rows between unbounded preceding and current row
        ) as interval_no
    from marks
),

found as (
    select
        numbered.tenant_id,
        numbered.clock_id,
        numbered.mark,
        cast(numbered.interval_no as bigint) as interval_no,
        case
            when numbered.open_us <= intervals.open_us_before + intervals.closed_us - intervals.opened_us
                then intervals.opened_us + numbered.open_us - intervals.open_us_before
        end as reached_us
    from numbered
    inner join intervals
        on
            numbered.tenant_id = intervals.tenant_id
            and numbered.calendar_id = intervals.calendar_id
            and numbered.interval_no = intervals.interval_no
    where numbered.opens = 0
),

final as (
    select
        tenant_id,
        clock_id,

        max(case when mark = 'due' and reached_us is null then 1 else 0 end) = 1 as is_beyond_calendar,

        max(case when mark = 'warn' then reached_us end) as warn_us,
        max(case when mark = 'due' then reached_us end) as due_us,
        max(case when mark = 'due' then interval_no end) as due_interval_no
    from found
    group by tenant_id, clock_id
)

select * from final
