-- One row per messaging window: a stretch of time in which a channel lets us write freely to a contact point.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select * from {{ ref('int_inbound_messages__windowed') }}
)

select
    tenant_id,
    window_id,
    lead_id,
    contact_point_id,
    channel_account_id,

    channel,
    kind,
    is_human_only,

    count(*) as inbound_count,

    min(occurred_at) as opened_at,
    max(expires_at) as expires_at
from messages
group by tenant_id, window_id, lead_id, contact_point_id, channel_account_id, channel, kind, is_human_only
