-- One row per thing that must be followed by another within a limit, with its limit and what closed it first.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with events as (
    select * from {{ ref('int_lead_events__sequenced') }}
),

bookings as (
    select * from {{ ref('int_appointments__chained') }}
),

-- A run of unanswered inbound messages begins after anything that ended the lead's waiting.
waiting as (
    select
        *,
        lag(event_kind) over (
            partition by tenant_id, lead_id
            order by occurred_at, event_order, event_kind, event_id
        ) as previous_kind
    from events
    where event_kind in ('inbound', 'outbound', 'resolved', 'won', 'lost', 'opted_out')
),

triggers as (
    select
        tenant_id,
        lead_id,
        'no_reply' as kind,
        event_id as trigger_event_id,
        occurred_at as triggered_at,
        cast(null as {{ moment_type() }}) as renewed_at,
        cast(null as {{ moment_type() }}) as expires_at,
        cast(null as {{ moment_type() }}) as told_at
    from waiting
    where event_kind = 'inbound' and (previous_kind is null or previous_kind <> 'inbound')
    union all
    select tenant_id, lead_id, 'assigned_idle' as kind, event_id, occurred_at, null, null, null
    from events
    where event_kind = 'assigned'
    union all
    select tenant_id, lead_id, 'no_next_step' as kind, last_turn_event_id, ended_at, null, null, null
    from {{ ref('fct_qualification') }}
    where outcome = 'qualified'
    union all
    select tenant_id, lead_id, 'window_closing' as kind, event_id, occurred_at, next_inbound_at, expires_at, null
    from {{ ref('int_inbound_messages__windowed') }}
    where kind = 'service' and lead_id is not null
    union all
    -- Nobody misses what has not begun; whoever says so before the end need not wait for the end.
    select
        tenant_id,
        lead_id,
        'no_show' as kind,
        no_show_event_id,
        greatest(starts_at, least(ends_at, no_show_at)),
        null,
        null,
        no_show_at
    from bookings
    where is_no_show and cancelled_at is null and lead_id is not null
),

closers as (
    select
        tenant_id,
        lead_id,
        event_id,
        event_kind,
        occurred_at,
        event_kind = 'outbound' as ends_waiting,
        is_human_outbound or event_kind = 'human_action' as is_human_work,
        case
            when is_human_outbound then 'human_replied'
            when event_kind = 'outbound' then 'replied'
            else event_kind
        end as reason
    from events
    where
        event_kind in (
            'outbound', 'resolved', 'assigned', 'unassigned', 'human_action', 'next_step_set', 'won', 'lost', 'opted_out'
        )
    union all
    select
        tenant_id,
        lead_id,
        appointment_id as event_id,
        'rebooked' as event_kind,
        booked_at as occurred_at,
        false as ends_waiting,
        false as is_human_work,
        'rebooked' as reason
    from bookings
    where booked_at is not null and lead_id is not null
    union all
    select tenant_id, lead_id, appointment_id, 'rebooked', moved_at, false, false, 'rebooked'
    from bookings
    where moved_at is not null and lead_id is not null
),

matched as (
    select
        triggers.tenant_id,
        triggers.kind,
        triggers.trigger_event_id,
        closers.event_id,
        closers.occurred_at,
        case
            when closers.reason = 'human_replied' and triggers.kind in ('no_reply', 'window_closing') then 'replied'
            when closers.event_kind = 'outbound' and triggers.kind = 'no_show' then 'followed_up'
            when closers.reason = 'assigned' and triggers.kind = 'assigned_idle' then 'reassigned'
            else closers.reason
        end as reason
    from triggers
    inner join closers
        on
            triggers.tenant_id = closers.tenant_id
            and triggers.lead_id = closers.lead_id
            and triggers.triggered_at <= closers.occurred_at
    where
        closers.event_kind in ('won', 'lost', 'opted_out')
        or (triggers.kind in ('no_reply', 'window_closing') and (closers.ends_waiting or closers.event_kind = 'resolved'))
        or (triggers.kind in ('assigned_idle', 'no_next_step') and closers.is_human_work)
        or (triggers.kind = 'assigned_idle' and closers.event_kind = 'unassigned')
        or (
            triggers.kind = 'assigned_idle'
            and closers.event_kind = 'assigned'
            and (triggers.triggered_at < closers.occurred_at or triggers.trigger_event_id < closers.event_id)
        )
        or (triggers.kind = 'no_next_step' and closers.event_kind in ('next_step_set', 'assigned'))
        or (triggers.kind = 'no_show' and closers.event_kind in ('outbound', 'human_action', 'next_step_set'))
        -- later: what a booking without times was marked by is not its own end
        or (triggers.kind = 'no_show' and closers.event_kind = 'rebooked' and triggers.triggered_at < closers.occurred_at)
),

closings as (
    select
        tenant_id,
        kind,
        trigger_event_id,
        occurred_at as closing_at,
        reason as close_reason,
        row_number() over (
            partition by tenant_id, kind, trigger_event_id
            order by occurred_at, reason, event_id
        ) as closing_no
    from matched
),

closed as (
    select
        triggers.tenant_id,
        triggers.lead_id,
        triggers.kind,
        triggers.trigger_event_id,
        triggers.triggered_at,
        triggers.expires_at,
        triggers.told_at,
        case
            when triggers.renewed_at <= coalesce(closings.closing_at, triggers.renewed_at) then triggers.renewed_at
            else closings.closing_at
        end as closing_at,
        case
            when triggers.renewed_at <= coalesce(closings.closing_at, triggers.renewed_at) then 'window_renewed'
            else closings.close_reason
        end as close_reason
    from triggers
    left join closings
        on
            triggers.tenant_id = closings.tenant_id
            and triggers.kind = closings.kind
            and triggers.trigger_event_id = closings.trigger_event_id
            and closings.closing_no = 1
    union all
    select
        tenant_id,
        lead_id,
        'hot_unassigned' as kind,
        trigger_event_id,
        started_at,
        null,
        null,
        ended_at,
        end_reason
    from {{ ref('int_lead_hot_spells__found') }}
),

final as (
    select
        closed.tenant_id,
        closed.lead_id,
        policies.calendar_id,
        closed.trigger_event_id,

        closed.kind,
        closed.close_reason,
        closed.kind in ('no_reply', 'assigned_idle') as is_business_time,

        case closed.kind
            when 'no_reply' then policies.no_reply_business_seconds
            when 'assigned_idle' then policies.assigned_idle_business_seconds
            when 'no_next_step' then policies.next_step_seconds
            when 'hot_unassigned' then policies.hot_unassigned_seconds
            when 'window_closing' then policies.window_closing_seconds
            when 'no_show' then policies.no_show_seconds
        end as limit_seconds,

        closed.triggered_at,
        closed.closing_at,
        closed.expires_at,
        closed.told_at
    from closed
    inner join {{ ref('stg_reference__policies') }} as policies
        on
            closed.tenant_id = policies.tenant_id
            and {{ is_valid_at('policies', 'closed.triggered_at') }}
)

select * from final
