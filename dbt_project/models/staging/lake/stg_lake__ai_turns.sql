-- One row per turn of the qualifying assistant, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('ai_turns') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,

        source,
        channel,
        intent,
        budget_currency,
        nullif(nullif(objection, ''), 'none') as objection,
        nullif(nullif(buying_signal, ''), 'none') as buying_signal,
        risk,
        next_action,
        verdict,

        budget_minor,
        timeline_days,
        confidence,
        asked_for_human,

        received_at,
        occurred_at
    from source
)

select * from renamed
