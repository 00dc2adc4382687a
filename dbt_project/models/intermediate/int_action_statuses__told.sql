-- One row per delivery status that brought back the id of the action that the message was sent for.
{{ config(materialized='incremental', meta={'scope': 'message'}) }}
select
    tenant_id,
    event_id,
    message_id,
    action_id,

    status,

    occurred_at
from {{ ref('stg_lake__message_statuses') }}
where action_id is not null and message_id is not null and status in ('sent', 'delivered', 'read', 'played', 'failed')
