-- One row per conversation: messages with one contact point on one account, until resolved or silent for the tenant's gap.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select
        *,
        min(case when direction = 'inbound' then occurred_at end) over (
            partition by tenant_id, conversation_id
        ) as first_inbound_at
    from {{ ref('int_messages__threaded') }}
),

conversations as (
    select
        tenant_id,
        conversation_id,
        lead_id,
        contact_point_id,
        channel,
        channel_account_id,
        first_inbound_at,
        min(occurred_at) as opened_at,
        max(case when is_last then closes_at end) as closes_at,
        max(case when is_last then closing_reason end) as closing_reason,
        sum(case when direction = 'inbound' then 1 else 0 end) as inbound_count,
        sum(case when direction = 'outbound' then 1 else 0 end) as outbound_count,
        min(case when direction = 'outbound' and author_type in ('ai', 'human') and occurred_at >= first_inbound_at then occurred_at end)
            as first_response_at
    from messages
    group by tenant_id, conversation_id, lead_id, contact_point_id, channel, channel_account_id, first_inbound_at
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
    {{ seconds_between('first_inbound_at', 'first_response_at') }} as first_response_seconds,

    opened_at,
    case when closes_at <= {{ as_of() }} then closes_at end as closed_at
from conversations
