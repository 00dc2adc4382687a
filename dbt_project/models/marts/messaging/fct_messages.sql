-- One row per message.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select * from {{ ref('int_messages__threaded') }}
),

final as (
    select
        messages.tenant_id,
        messages.message_id,
        messages.event_id,
        messages.conversation_id,
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
        case
            when messages.direction = 'inbound' then 'received'
            when statuses.status_rank = 4 then 'read'
            when statuses.status_rank = 3 then 'failed'
            when statuses.status_rank = 2 then 'delivered'
            when statuses.status_rank = 1 then 'sent'
            else 'accepted'
        end as status,
        statuses.category,
        messages.finding,

        cast(prices.cost_minor as bigint) as cost_minor,
        waits.response_seconds,

        messages.occurred_at as sent_at
    from messages
    left join {{ ref('int_message_statuses__ranked') }} as statuses
        on
            messages.tenant_id = statuses.tenant_id
            and messages.message_id = statuses.message_id
    left join {{ ref('int_messages__priced') }} as prices
        on
            messages.tenant_id = prices.tenant_id
            and messages.event_id = prices.event_id
    left join {{ ref('int_messages__answered') }} as waits
        on
            messages.tenant_id = waits.tenant_id
            and messages.event_id = waits.event_id
)

select
    tenant_id,
    message_id,
    event_id,
    conversation_id,
    lead_id,
    contact_point_id,
    channel_account_id,
    person_id,
    action_id,

    channel,
    direction,
    author_type,
    message_type,
    template_name,
    status,
    category,
    finding,

    cost_minor,
    response_seconds,

    sent_at
from final
