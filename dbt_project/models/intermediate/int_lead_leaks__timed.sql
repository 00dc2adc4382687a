-- One row per thing that must be followed by another within a limit, with the moment at which the limit passes, also one to come.
-- Of what is counted in business time it is missing where the thing was closed before, and where the calendar is not laid out so far.
{{ config(
    materialized='incremental',
    meta={
        'scope': 'lead',
        'changes_at': ['since_at', 'expires_at'],
        'changes_when': 'since_at is null and closing_at is null',
    },
) }}
with clocks as (
    select * from {{ ref('int_lead_leaks__triggered') }}
),

-- Business time never runs faster than the clock, so only these can have passed their limit.
running as (
    select
        *,
        {{ microseconds('triggered_at') }} as triggered_us
    from clocks
    where
        is_business_time
        and (closing_at is null or closing_at > {{ add_seconds('triggered_at', 'limit_seconds') }})
),

intervals as (
    select
        tenant_id,
        calendar_id,
        {{ microseconds('opened_at') }} as opened_us,
        {{ microseconds('closed_at') }} as closed_us,
        open_seconds_before * 1000000 as open_us_before,
        lead({{ microseconds('opened_at') }}) over (partition by tenant_id, calendar_id order by opened_at) as next_opened_us
    from {{ source('reference', 'business_intervals') }}
),

-- Elapsed: the open time of the calendar before the trigger.
targets as (
    select
        running.*,
        coalesce(
            intervals.open_us_before + least(running.triggered_us, intervals.closed_us) - intervals.opened_us, 0
        ) + running.limit_seconds * 1000000 as target_us
    from running
    left join intervals
        on
            running.tenant_id = intervals.tenant_id
            and running.calendar_id = intervals.calendar_id
            and running.triggered_us >= intervals.opened_us
            and (intervals.next_opened_us is null or running.triggered_us < intervals.next_opened_us)
),

-- Due: the first instant at which the calendar's open time has grown by the limit.
due as (
    select
        targets.tenant_id,
        targets.kind,
        targets.trigger_event_id,
        {{ from_microseconds('greatest(targets.triggered_us, intervals.opened_us + targets.target_us - intervals.open_us_before)') }}
            as since_at
    from targets
    inner join intervals
        on
            targets.tenant_id = intervals.tenant_id
            and targets.calendar_id = intervals.calendar_id
            and targets.target_us > intervals.open_us_before
            and targets.target_us <= intervals.open_us_before + intervals.closed_us - intervals.opened_us
),

final as (
    select
        clocks.*,
        case
            when clocks.is_business_time and clocks.limit_seconds = 0 then clocks.triggered_at
            when clocks.is_business_time then due.since_at
            when clocks.kind = 'window_closing'
                then greatest(clocks.triggered_at, {{ add_seconds('clocks.expires_at', '-clocks.limit_seconds') }})
            when clocks.kind = 'no_show'
                then greatest({{ add_seconds('clocks.triggered_at', 'clocks.limit_seconds') }}, clocks.told_at)
            else {{ add_seconds('clocks.triggered_at', 'clocks.limit_seconds') }}
        end as since_at
    from clocks
    left join due
        on
            clocks.tenant_id = due.tenant_id
            and clocks.kind = due.kind
            and clocks.trigger_event_id = due.trigger_event_id
)

select * from final
