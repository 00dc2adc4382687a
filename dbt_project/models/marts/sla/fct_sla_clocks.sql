-- One row per service-level clock: what was promised, since when, until when, and whether it was kept.
with clocks as (
    select * from {{ ref('int_sla_clocks__agreed') }}
),

totals as (
    select
        tenant_id,
        clock_id,
        cast(sum(counted_us) as bigint) as elapsed_us,
        cast(sum(case when kind = 'paused' then ends_us - begins_us else 0 end) as bigint) as paused_us,
        max(case when kind = 'paused' and is_running then 1 else 0 end) = 1 as is_paused
    from {{ ref('int_sla_stretches__measured') }}
    group by tenant_id, clock_id
),

-- A clock that runs has no totals: they would be another number at every build.
measured as (
    select
        clocks.*,
        coalesce(totals.is_paused, false) as is_paused,
        case when due.is_beyond_calendar then 'calendar_ends' else clocks.finding end as finding_then,
        case when clocks.stopped_at is not null then totals.elapsed_us end as elapsed_us,
        case when clocks.stopped_at is not null then totals.paused_us end as paused_us,
        {{ from_microseconds('due.warn_us') }} as warn_at,
        {{ from_microseconds('due.due_us') }} as due_at
    from clocks
    left join totals
        on
            clocks.tenant_id = totals.tenant_id
            and clocks.clock_id = totals.clock_id
    left join {{ ref('int_sla_clocks__due') }} as due
        on
            clocks.tenant_id = due.tenant_id
            and clocks.clock_id = due.clock_id
)

select
    tenant_id,
    clock_id,
    lead_id,
    conversation_id,
    trigger_event_id,
    stop_event_id,
    policy_id,
    calendar_id,

    metric,
    tier,
    is_bot_reply_counted,
    is_paused,
    case
        when finding_then is not null then null
        when coalesce(stopped_at, {{ as_of() }}) > due_at then 'breached'
        when stopped_at is not null then 'met'
        else 'pending'
    end as verdict,
    stop_reason,
    finding_then as finding,

    target_seconds,
    {{ whole_division('elapsed_us', '1000000') }} as elapsed_seconds,
    {{ whole_division('paused_us', '1000000') }} as paused_seconds,
    elapsed_us as elapsed_microseconds,
    paused_us as paused_microseconds,

    started_at,
    warn_at,
    due_at,
    stopped_at,
    policy_valid_from
from measured
