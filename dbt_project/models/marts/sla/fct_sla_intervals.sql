-- One row per clock and stretch of time that counted, was paused, or did not count because the business was closed. They touch, from the
-- start of the clock to its stop, or of one that still runs to its due instant; until that has come the last has no end.
with stretches as (
    select
        stretches.*,
        case when stretches.is_clock_running and due.due_us < {{ microseconds(as_of()) }} then due.due_us end as proven_us,
        due.due_interval_no
    from {{ ref('int_sla_stretches__measured') }} as stretches
    left join {{ ref('int_sla_clocks__due') }} as due
        on
            stretches.tenant_id = due.tenant_id
            and stretches.clock_id = due.clock_id
),

cut as (
    select
        *,
        is_running and proven_us is null as is_open,
        least(ends_us, coalesce(proven_us, ends_us)) as stops_us,
        case when proven_us is null then ends_interval_no else least(ends_interval_no, due_interval_no) end as stops_interval_no
    from stretches
    where proven_us is null or begins_us < proven_us
),

-- Each counted stretch, once for every interval of the calendar that it touches.
spread as (
    select
        *,
        {{ each_number('begins_interval_no', 'stops_interval_no') }} as interval_no
    from cut
    where kind = 'counted'
),

pieces as (
    select
        spread.*,
        intervals.opened_us,
        intervals.closed_us,
        next_intervals.opened_us as next_opened_us
    from spread
    left join {{ ref('int_business_intervals__numbered') }} as intervals
        on
            spread.tenant_id = intervals.tenant_id
            and spread.calendar_id = intervals.calendar_id
            and spread.interval_no = intervals.interval_no
    left join {{ ref('int_business_intervals__numbered') }} as next_intervals
        on
            spread.tenant_id = next_intervals.tenant_id
            and spread.calendar_id = next_intervals.calendar_id
            and spread.interval_no + 1 = next_intervals.interval_no
),

-- After each interval, and before the first (number 0), the business is closed until the next one opens.
sides as (
    select
        tenant_id,
        clock_id,
        event_id,
        'counted' as kind,
        reason,
        is_open,
        stops_us,
        greatest(begins_us, opened_us) as piece_begins_us,
        least(stops_us, closed_us) as piece_ends_us
    from pieces
    where interval_no > 0
    union all
    select
        tenant_id,
        clock_id,
        event_id,
        'closed' as kind,
        'outside_business_hours' as reason,
        is_open,
        stops_us,
        greatest(begins_us, coalesce(closed_us, begins_us)) as piece_begins_us,
        least(stops_us, coalesce(next_opened_us, stops_us)) as piece_ends_us
    from pieces
    union all
    select
        tenant_id,
        clock_id,
        event_id,
        kind,
        reason,
        is_open,
        stops_us,
        begins_us as piece_begins_us,
        stops_us as piece_ends_us
    from cut
    where kind = 'paused'
),

final as (
    select
        *,
        is_open and piece_ends_us = stops_us as is_unfinished
    from sides
    where piece_begins_us < piece_ends_us
)

select
    tenant_id,
    clock_id,
    event_id,

    kind,
    reason,

    cast(row_number() over (partition by tenant_id, clock_id order by piece_begins_us) as bigint) as interval_no,
    case when not is_unfinished then piece_ends_us - piece_begins_us end as length_microseconds,

    {{ from_microseconds('piece_begins_us') }} as started_at,
    case when not is_unfinished then {{ from_microseconds('piece_ends_us') }} end as ended_at
from final
