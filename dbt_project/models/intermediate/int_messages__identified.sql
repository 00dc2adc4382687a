-- One row per message, with the lead that held its contact point at the time.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select * from {{ ref('stg_lake__messages') }}
),

final as (
    select
        messages.tenant_id,
        messages.event_id,
        messages.message_id,
        lead_points.lead_id,
        messages.contact_point_id,
        messages.channel_account_id,
        messages.person_id,
        messages.action_id,

        messages.channel,
        messages.direction,
        messages.author_type,
        messages.message_type,
        messages.template_name,

        messages.occurred_at,
        -- At the same instant the lead is taken to have written first, so that our message there is an answer.
        case when messages.direction = 'inbound' then 0 else 1 end as event_order
    from messages
    {{ join_lead('messages') }}
)

select * from final
