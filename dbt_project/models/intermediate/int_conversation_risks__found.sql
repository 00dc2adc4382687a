-- One row per conversation in which the lead wrote something of high risk: the first such message. One that belongs to no conversation,
-- for no policy was valid, stands by itself: what is risky needs no policy to be so.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with risks as (
    select
        *,
        row_number() over (
            partition by tenant_id, coalesce(conversation_id, event_id)
            order by sent_at, event_id
        ) as risk_no
    from {{ ref('fct_message_signals') }}
    where is_high_risk
),

final as (
    select
        tenant_id,
        conversation_id,
        contact_point_id,
        lead_id,
        event_id,

        risk,

        sent_at as risk_at
    from risks
    where risk_no = 1
)

select * from final
