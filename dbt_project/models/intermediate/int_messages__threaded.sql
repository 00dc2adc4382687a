-- One row per message, with its conversation and the instant at which silence or a resolve event would close it after this message. One
-- that no policy was valid at belongs to no conversation: it opens none, and neither its silence nor it itself moves the end of another.
{{ config(materialized='incremental', meta={'scope': 'point', 'changes_at': ['closes_at']}) }}
with messages as (
    select * from {{ ref('int_messages__identified') }}
),

threads as (
    select distinct
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id
    from messages
),

resolutions as (
    select
        threads.tenant_id,
        threads.lead_id,
        threads.contact_point_id,
        threads.channel,
        threads.channel_account_id,
        resolved.event_id,
        resolved.occurred_at
    from {{ ref('stg_lake__lead_events') }} as resolved
    inner join threads
        on
            resolved.tenant_id = threads.tenant_id
            and resolved.contact_point_id = threads.contact_point_id
            and (resolved.channel is null or resolved.channel = threads.channel)
    where resolved.kind = 'resolved'
),

-- A resolve event sorts before the messages of its instant: they open the next conversation.
timeline as (
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        event_id,
        occurred_at,
        event_order,
        cast(null as {{ moment_type() }}) as resolved_at
    from messages
    union all
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        event_id,
        occurred_at,
        -1 as event_order,
        occurred_at as resolved_at
    from resolutions
),

looked_ahead as (
    select
        *,
        min(resolved_at) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by occurred_at, event_order, event_id
            rows between 1 following and unbounded following
        ) as next_resolved_at
    from timeline
),

-- The gap is the one valid at the message after which the silence begins.
silences as (
    select
        looked_ahead.*,
        {{ add_seconds('looked_ahead.occurred_at', 'policies.conversation_gap_seconds') }} as inactive_at
    from looked_ahead
    inner join {{ ref('stg_reference__policies') }} as policies
        on
            looked_ahead.tenant_id = policies.tenant_id
            and {{ is_valid_at('policies', 'looked_ahead.occurred_at') }}
    where looked_ahead.event_order >= 0
),

closings as (
    select
        *,
        case when next_resolved_at < inactive_at then next_resolved_at else inactive_at end as closes_at,
        case when next_resolved_at < inactive_at then 'resolved' else 'inactive' end as closing_reason
    from silences
),

compared as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by occurred_at, event_order, event_id
        ) as message_no,
        lag(closes_at) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by occurred_at, event_order, event_id
        ) as previous_closes_at
    from closings
),

numbered as (
    select
        *,
        sum(case when message_no = 1 or previous_closes_at <= occurred_at then 1 else 0 end) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by message_no
            rows between unbounded preceding and current row
        ) as conversation_no
    from compared
),

opened as (
    select
        *,
        first_value(event_id) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, conversation_no
            order by message_no
            rows between unbounded preceding and unbounded following
        ) as first_event_id,
        lead(conversation_no) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by message_no
        ) as next_conversation_no
    from numbered
),

final as (
    select
        messages.tenant_id,
        messages.event_id,
        messages.message_id,
        case
            when opened.first_event_id is not null
                then {{ key_of(['opened.tenant_id', 'opened.contact_point_id', 'opened.channel_account_id', 'opened.first_event_id']) }}
        end as conversation_id,
        messages.lead_id,
        messages.contact_point_id,
        messages.channel_account_id,
        messages.person_id,
        messages.action_id,

        messages.channel,
        messages.direction,
        messages.author_type,
        messages.message_type,
        messages.template_name,
        opened.closing_reason,
        case when opened.first_event_id is null then 'no_policy' end as finding,

        messages.event_order,
        opened.first_event_id is not null and coalesce(opened.next_conversation_no <> opened.conversation_no, true) as is_last,

        messages.occurred_at,
        opened.closes_at
    from messages
    left join opened
        on
            messages.tenant_id = opened.tenant_id
            and messages.event_id = opened.event_id
)

select * from final
