-- One row per scheduled message that is wanted in time. A template goes out by ourselves; what has words of its own, or another channel,
-- by the operating system, which holds the text and is told the schedule's id.
with messages as (
    select
        *,
        coalesce(channel = 'whatsapp' and template_name is not null and channel_account_id is not null, false) as is_ours
    from {{ ref('fct_scheduled_messages') }}
    where status in ('scheduled', 'due', 'sent') or expiry_reason = 'not_sent_in_time'
),

final as (
    select
        tenant_id,
        'scheduled_message' as rule,
        case when is_ours then 'send_template' else 'send_scheduled' end as kind,
        case when is_ours then channel else 'webhook' end as channel,
        lead_id,
        contact_point_id as point_id,
        channel_account_id as account_id,
        template_name,
        'schedule' as subject,
        scheduling_event_id as trigger_id,
        {{ json_object({'schedule_id': json_text('schedule_id'), 'channel': json_text('channel')}) }} as details,
        send_at as due_at,
        lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from messages
)

select * from final
