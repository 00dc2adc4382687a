-- One row per thread of messages and thing that counts in it: its messages, and what ends the lead's matter. Ordered by item_no.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with messages as (
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        conversation_id,
        event_id,
        case
            when direction = 'inbound' then 'inbound'
            when author_type in ('human', 'ai') then author_type
            else 'automation'
        end as item,
        event_order as item_order,
        conversation_id is not null and direction = 'inbound' and row_number() over (
            partition by tenant_id, conversation_id, direction
            order by occurred_at, event_order, event_id
        ) = 1 as is_first_inbound,
        occurred_at,
        case when is_last and closing_reason = 'inactive' and closes_at <= {{ as_of() }} then closes_at end as lapsed_at
    from {{ ref('int_messages__threaded') }}
    -- What the lead wrote in no conversation (no policy was valid) starts no wait; what we wrote then is a reply all the same.
    where lead_id is not null and (conversation_id is not null or direction = 'outbound')
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

-- As for conversations: what ends the matter sorts before the messages of its instant.
ends as (
    select
        threads.tenant_id,
        threads.lead_id,
        threads.contact_point_id,
        threads.channel,
        threads.channel_account_id,
        resolved.event_id,
        'resolved' as item,
        resolved.occurred_at
    from {{ ref('stg_lake__lead_events') }} as resolved
    inner join threads
        on
            resolved.tenant_id = threads.tenant_id
            and resolved.contact_point_id = threads.contact_point_id
            and (resolved.channel is null or resolved.channel = threads.channel)
    where resolved.kind = 'resolved'
    union all
    select
        threads.tenant_id,
        threads.lead_id,
        threads.contact_point_id,
        threads.channel,
        threads.channel_account_id,
        events.event_id,
        events.event_kind as item,
        events.occurred_at
    from {{ ref('int_lead_events__sequenced') }} as events
    inner join threads
        on
            events.tenant_id = threads.tenant_id
            and events.lead_id = threads.lead_id
    where events.event_kind in ('won', 'lost', 'opted_out')
),

items as (
    select * from messages
    union all
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        cast(null as {{ text_type() }}) as conversation_id,
        event_id,
        item,
        -1 as item_order,
        false as is_first_inbound,
        occurred_at,
        cast(null as {{ moment_type() }}) as lapsed_at
    from ends
),

numbered as (
    select
        *,
        item in ('resolved', 'won', 'lost', 'opted_out') as is_end,
        row_number() over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by occurred_at, item_order, event_id, item
        ) as item_no
    from items
),

-- What a bot says ends a wait for some policies only, so both are told: any reply, and a person's. An end ends every wait.
final as (
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel_account_id,
        conversation_id,
        event_id,

        channel,
        item,
        is_first_inbound,

        item_no,
        max(case when item = 'inbound' then item_no end) over earlier as last_inbound_no,
        max(case when is_end or item in ('human', 'ai') then item_no end) over earlier as last_reply_no,
        max(case when is_end or item = 'human' then item_no end) over earlier as last_person_no,
        min(case when is_end or item in ('human', 'ai') then item_no end) over later as next_reply_no,
        min(case when is_end or item = 'human' then item_no end) over later as next_person_no,
        min(case when is_end then item_no end) over later as next_end_no,

        occurred_at,
        lapsed_at
    from numbered
    window
        earlier as (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by item_no
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id
            order by item_no
            rows between 1 following and unbounded following
        )
)

select * from final
