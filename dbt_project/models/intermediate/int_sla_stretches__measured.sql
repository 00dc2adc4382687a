-- One row per stretch of a clock, with the open time of its calendar at both ends, in microseconds. A running one is measured to as_of.
with stretches as (
    select
        stretches.*,
        clocks.calendar_id,
        clocks.stopped_at is null as is_clock_running,
        {{ microseconds('stretches.begins_at') }} as begins_us,
        {{ microseconds('coalesce(stretches.ends_at, ' ~ as_of() ~ ')') }} as ends_us
    from {{ ref('int_sla_stretches__cut') }} as stretches
    inner join {{ ref('int_sla_clocks__agreed') }} as clocks
        on
            stretches.tenant_id = clocks.tenant_id
            and stretches.clock_id = clocks.clock_id
),

intervals as (
    select * from {{ ref('int_business_intervals__numbered') }}
),

-- The lookup without a join by inequality: in one order of all moments, the last interval that opened is the number of those so far.
marks as (
    select
        tenant_id,
        calendar_id,
        cast(null as {{ text_type() }}) as clock_id,
        cast(null as bigint) as stretch_no,
        opened_us as mark_us,
        0 as mark_order,
        1 as opens
    from intervals
    union all
    select
        tenant_id,
        calendar_id,
        clock_id,
        stretch_no,
        begins_us as mark_us,
        1 as mark_order,
        0 as opens
    from stretches
    union all
    select
        tenant_id,
        calendar_id,
        clock_id,
        stretch_no,
        ends_us as mark_us,
        2 as mark_order,
        0 as opens
    from stretches
),

numbered as (
    select
        *,
        sum(opens) over (
            partition by tenant_id, calendar_id
            order by mark_us, mark_order
            rows between unbounded preceding and current row
        ) as interval_no
    from marks
),

looked_up as (
    select
        numbered.tenant_id,
        numbered.clock_id,
        numbered.stretch_no,
        numbered.mark_order,
        numbered.interval_no,
        coalesce(intervals.open_us_before + least(numbered.mark_us, intervals.closed_us) - intervals.opened_us, 0) as open_us
    from numbered
    left join intervals
        on
            numbered.tenant_id = intervals.tenant_id
            and numbered.calendar_id = intervals.calendar_id
            and numbered.interval_no = intervals.interval_no
    where numbered.opens = 0
),

ends as (
    select
        tenant_id,
        clock_id,
        stretch_no,
        max(case when mark_order = 1 then open_us end) as begins_open_us,
        max(case when mark_order = 2 then open_us end) as ends_open_us,
        cast(max(case when mark_order = 1 then interval_no end) as bigint) as begins_interval_no,
        cast(max(case when mark_order = 2 then interval_no end) as bigint) as ends_interval_no
    from looked_up
    group by tenant_id, clock_id, stretch_no
),

measured as (
    select
        stretches.*,
        ends.begins_open_us,
        ends.begins_interval_no,
        ends.ends_interval_no,
        case when stretches.kind = 'counted' then ends.ends_open_us - ends.begins_open_us else 0 end as counted_us
    from stretches
    inner join ends
        on
            stretches.tenant_id = ends.tenant_id
            and stretches.clock_id = ends.clock_id
            and stretches.stretch_no = ends.stretch_no
),

final as (
    select
        tenant_id,
        clock_id,
        calendar_id,
        event_id,

        kind,
        reason,
        is_last,
        ends_at is null as is_running,
        is_clock_running,

        stretch_no,
        begins_us,
        ends_us,
        begins_open_us,
        begins_interval_no,
        ends_interval_no,
        counted_us,
        cast(sum(counted_us) over (
            partition by tenant_id, clock_id
            order by stretch_no
            rows between unbounded preceding and current row
        ) as bigint) - counted_us as counted_us_before
    from measured
)

select * from final
