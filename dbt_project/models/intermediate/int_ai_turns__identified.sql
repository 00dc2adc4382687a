-- One row per turn of the assistant, with the lead that held its contact point and the limits valid at the time.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with turns as (
    select * from {{ ref('stg_lake__ai_turns') }}
),

final as (
    select
        turns.tenant_id,
        turns.event_id,
        lead_points.lead_id,
        turns.contact_point_id,

        turns.channel,
        turns.intent,
        turns.budget_currency,
        turns.objection,
        turns.buying_signal,
        turns.risk,
        turns.next_action,
        turns.verdict,
        case when policies.tenant_id is null then 'no_policy' end as finding,

        turns.budget_minor,
        turns.timeline_days,
        turns.confidence,
        turns.asked_for_human,
        policies.max_ai_turns,
        policies.low_confidence,

        turns.occurred_at
    from turns
    {{ join_lead('turns') }}
    left join {{ ref('stg_reference__policies') }} as policies
        on
            turns.tenant_id = policies.tenant_id
            and {{ is_valid_at('policies', 'turns.occurred_at') }}
)

select * from final
