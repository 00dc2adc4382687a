-- One row per event that may start a service-level clock, with what would stop it: a reply of a person, or any reply.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with items as (
    select * from {{ ref('int_thread_items__ordered') }}
),

stops as (
    select
        tenant_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        item_no,
        event_id,
        case item when 'human' then 'person_replied' when 'ai' then 'assistant_replied' else item end as reason,
        occurred_at
    from items
    where item not in ('inbound', 'automation')
),

-- The first inbound message of a conversation, and each other one that follows a reply.
inbounds as (
    select
        *,
        case when is_first_inbound then 'first_response' else 'next_response' end as metric
    from items
    where item = 'inbound' and (is_first_inbound or last_reply_no > last_inbound_no)
),

responses as (
    select
        inbounds.tenant_id,
        inbounds.metric,
        inbounds.event_id as trigger_event_id,
        inbounds.lead_id,
        inbounds.conversation_id,
        inbounds.occurred_at as started_at,
        inbounds.is_first_inbound
        or coalesce(inbounds.last_person_no > inbounds.last_inbound_no, false) as follows_person,
        replies.event_id as reply_event_id,
        replies.reason as reply_reason,
        replies.occurred_at as reply_at,
        persons.event_id as person_event_id,
        persons.reason as person_reason,
        persons.occurred_at as person_at
    from inbounds
    left join stops as replies
        on
            inbounds.tenant_id = replies.tenant_id
            and inbounds.lead_id = replies.lead_id
            and inbounds.contact_point_id = replies.contact_point_id
            and inbounds.channel = replies.channel
            and inbounds.channel_account_id = replies.channel_account_id
            and inbounds.next_reply_no = replies.item_no
    left join stops as persons
        on
            inbounds.tenant_id = persons.tenant_id
            and inbounds.lead_id = persons.lead_id
            and inbounds.contact_point_id = persons.contact_point_id
            and inbounds.channel = persons.channel
            and inbounds.channel_account_id = persons.channel_account_id
            and inbounds.next_person_no = persons.item_no
),

-- Conversations in which the lead wrote. One that lapsed counts as over only where the lead had the last reply.
talks as (
    select
        tenant_id,
        conversation_id,
        min(item_no) as first_item_no,
        max(lapsed_at) as lapsed_at,
        max(case when item = 'inbound' then item_no else 0 end) as inbound_item_no,
        max(case when item in ('human', 'ai') then item_no else 0 end) as reply_item_no,
        max(case when item = 'human' then item_no else 0 end) as person_item_no
    from items
    where conversation_id is not null
    group by tenant_id, conversation_id
),

openings as (
    select
        items.*,
        case when talks.reply_item_no > talks.inbound_item_no then talks.lapsed_at end as reply_lapsed_at,
        case when talks.person_item_no > talks.inbound_item_no then talks.lapsed_at end as person_lapsed_at
    from items
    inner join talks
        on
            items.tenant_id = talks.tenant_id
            and items.conversation_id = talks.conversation_id
            and items.item_no = talks.first_item_no
    where talks.inbound_item_no > 0
),

ended as (
    select
        openings.*,
        ends.event_id as end_event_id,
        ends.reason as end_reason,
        ends.occurred_at as end_at,
        coalesce(openings.reply_lapsed_at <= coalesce(ends.occurred_at, openings.reply_lapsed_at), false) as is_reply_lapse,
        coalesce(openings.person_lapsed_at <= coalesce(ends.occurred_at, openings.person_lapsed_at), false) as is_person_lapse
    from openings
    left join stops as ends
        on
            openings.tenant_id = ends.tenant_id
            and openings.lead_id = ends.lead_id
            and openings.contact_point_id = ends.contact_point_id
            and openings.channel = ends.channel
            and openings.channel_account_id = ends.channel_account_id
            and openings.next_end_no = ends.item_no
),

final as (
    select * from responses
    union all
    select
        tenant_id,
        'resolution' as metric,
        event_id as trigger_event_id,
        lead_id,
        conversation_id,
        occurred_at as started_at,
        true as follows_person,
        case when not is_reply_lapse then end_event_id end as reply_event_id,
        case when is_reply_lapse then 'inactive' else end_reason end as reply_reason,
        case when is_reply_lapse then reply_lapsed_at else end_at end as reply_at,
        case when not is_person_lapse then end_event_id end as person_event_id,
        case when is_person_lapse then 'inactive' else end_reason end as person_reason,
        case when is_person_lapse then person_lapsed_at else end_at end as person_at
    from ended
    union all
    select
        tenant_id,
        'hand_over' as metric,
        trigger_event_id,
        lead_id,
        cast(null as {{ text_type() }}) as conversation_id,
        started_at,
        true as follows_person,
        stop_event_id as reply_event_id,
        stop_reason as reply_reason,
        stopped_at as reply_at,
        stop_event_id as person_event_id,
        stop_reason as person_reason,
        stopped_at as person_at
    from {{ ref('int_lead_handovers__found') }}
)

select * from final
