-- One row per scheduled message: when it was to be sent, and what became of it.
with told as (
    select
        events.*,
        lead_points.lead_id,
        row_number() over (
            partition by events.tenant_id, events.schedule_id
            order by events.occurred_at desc, events.event_id desc
        ) as recency_no,
        row_number() over (
            partition by events.tenant_id, events.schedule_id
            order by case when events.kind = 'scheduled' then 0 else 1 end asc, events.occurred_at desc, events.event_id desc
        ) as plan_no
    from {{ ref('stg_lake__scheduled_messages') }} as events
    {{ join_lead('events') }}
),

cancellations as (
    select tenant_id, schedule_id, occurred_at as cancelled_at from told
    where recency_no = 1 and kind = 'cancelled'
),

accounts as (
    select
        tenant_id,
        contact_point_id,
        channel,
        channel_account_id,
        row_number() over (partition by tenant_id, contact_point_id, channel order by occurred_at desc, event_id desc) as recency_no
    from {{ ref('int_messages__identified') }}
    where (tenant_id, contact_point_id) in (select told.tenant_id, told.contact_point_id from told)
),

windowed as (
    select distinct channel from {{ ref('messaging_windows') }}
),

plans as (
    select
        told.tenant_id,
        told.schedule_id,
        told.event_id,
        told.lead_id,
        told.contact_point_id,
        told.channel,
        told.template_name,
        told.occurred_at as scheduled_at,
        told.send_at,
        cancellations.cancelled_at,
        accounts.channel_account_id,
        told.template_name is null and windowed.channel is not null as needs_window,
        coalesce(held.lead_id = told.lead_id, false) as is_point_held,
        {{ add_seconds('told.send_at', 'lifetimes.seconds') }} as lapses_at,
        {{ key_of(['told.tenant_id', "'scheduled_message'", "'schedule'", 'told.event_id']) }} as action_id
    from told
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on lifetimes.rule = 'scheduled_message' and {{ is_valid_at('lifetimes', 'told.send_at') }}
    left join cancellations
        on
            told.tenant_id = cancellations.tenant_id
            and told.schedule_id = cancellations.schedule_id
    left join accounts
        on
            told.tenant_id = accounts.tenant_id
            and told.contact_point_id = accounts.contact_point_id
            and told.channel = accounts.channel
            and accounts.recency_no = 1
    left join windowed
        on told.channel = windowed.channel
    left join {{ ref('stg_reference__lead_points') }} as held
        on
            told.tenant_id = held.tenant_id
            and told.contact_point_id = held.contact_point_id
            and {{ is_valid_at('held', 'told.send_at') }}
    where told.plan_no = 1
),

refusals as (
    select
        plans.tenant_id,
        plans.schedule_id,
        consents.event_kind,
        row_number() over (
            partition by plans.tenant_id, plans.schedule_id
            order by consents.occurred_at desc, consents.event_order desc, consents.event_id desc
        ) as recency_no
    from plans
    inner join {{ ref('int_lead_events__sequenced') }} as consents
        on
            plans.tenant_id = consents.tenant_id
            and plans.lead_id = consents.lead_id
            and plans.send_at >= consents.occurred_at
    where consents.event_kind in ('opted_in', 'opted_out')
),

erasures as (
    select
        tenant_id,
        lead_id,
        asked_at
    from {{ ref('int_erasures__asked') }}
),

windows as (
    select distinct
        plans.tenant_id,
        plans.schedule_id
    from plans
    inner join {{ ref('fct_messaging_windows') }} as windows
        on
            plans.tenant_id = windows.tenant_id
            and plans.contact_point_id = windows.contact_point_id
            and plans.channel_account_id = windows.channel_account_id
            and windows.kind = 'service'
            and plans.send_at >= windows.opened_at
            and plans.send_at < windows.expires_at
),

sent as (
    select tenant_id, action_id, min(occurred_at) as sent_at from {{ ref('int_messages__identified') }}
    where (tenant_id, action_id) in (select plans.tenant_id, plans.action_id from plans)
    group by tenant_id, action_id
),

judged as (
    select
        plans.*,
        sent.sent_at,
        case
            when plans.lead_id is null then 'no_lead'
            when erasures.asked_at <= plans.send_at then 'erased'
            when refusals.event_kind = 'opted_out' then 'opted_out'
            when not plans.is_point_held then 'point_given_up'
            when plans.needs_window and windows.schedule_id is null then 'window_closed'
        end as refusal
    from plans
    left join refusals
        on plans.tenant_id = refusals.tenant_id and plans.schedule_id = refusals.schedule_id and refusals.recency_no = 1
    left join erasures
        on plans.tenant_id = erasures.tenant_id and plans.lead_id = erasures.lead_id
    left join windows
        on plans.tenant_id = windows.tenant_id and plans.schedule_id = windows.schedule_id
    left join sent
        on plans.tenant_id = sent.tenant_id and plans.action_id = sent.action_id
),

-- Sent beats all; a cancellation counts until the message would have lapsed; what is not due yet is not judged.
ended as (
    select
        *,
        case
            when sent_at is not null then 'sent'
            when cancelled_at < lapses_at then 'cancelled'
            when send_at > {{ as_of() }} then 'scheduled'
            when refusal is not null or lapses_at <= {{ as_of() }} then 'expired'
            else 'due'
        end as status
    from judged
)

select
    tenant_id,
    schedule_id,
    lead_id,
    contact_point_id,
    channel_account_id,
    event_id as scheduling_event_id,
    action_id,

    channel,
    template_name,
    status,
    case when status = 'expired' then coalesce(refusal, 'not_sent_in_time') end as expiry_reason,

    scheduled_at,
    send_at,
    lapses_at,
    case when status = 'cancelled' then cancelled_at end as cancelled_at,
    sent_at
from ended
