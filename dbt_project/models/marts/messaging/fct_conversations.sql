-- One row per conversation: messages with one contact point on one account, until resolved or silent for the tenant's gap.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select * from {{ ref('int_messages__threaded') }}
    where conversation_id is not null
),

conversations as (
    select
        tenant_id,
        conversation_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        min(occurred_at) as opened_at,
        max(case when is_last then closes_at end) as closes_at,
        max(case when is_last then closing_reason end) as closing_reason,
        sum(case when direction = 'inbound' then 1 else 0 end) as inbound_count,
        sum(case when direction = 'outbound' then 1 else 0 end) as outbound_count
    from messages
    group by tenant_id, conversation_id, lead_id, contact_point_id, channel, channel_account_id
),

responses as (
    select
        tenant_id,
        conversation_id,
        max(case when wait_no = 1 then response_seconds end) as first_response_seconds,
        max(case when wait_no > 1 then response_seconds end) as longest_next_response_seconds
    from {{ ref('int_messages__answered') }}
    group by tenant_id, conversation_id
),

final as (
    select
        conversations.*,
        responses.first_response_seconds,
        responses.longest_next_response_seconds
    from conversations
    left join responses
        on
            conversations.tenant_id = responses.tenant_id
            and conversations.conversation_id = responses.conversation_id
)

select
    tenant_id,
    conversation_id,
    lead_id,
    contact_point_id,
    channel_account_id,

    channel,
    case when closes_at <= {{ as_of() }} then closing_reason end as close_reason,

    cast(inbound_count as bigint) as inbound_count,
    cast(outbound_count as bigint) as outbound_count,
    first_response_seconds,
    longest_next_response_seconds,

    opened_at,
    case when closes_at <= {{ as_of() }} then closes_at end as closed_at
from final
