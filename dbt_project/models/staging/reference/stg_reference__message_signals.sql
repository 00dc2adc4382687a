-- One row per message with text, told once: what it says, by whoever told its text first.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('message_signals', 'reference') }}
),

renamed as (
    select
        tenant_id,
        contact_point_id,
        event_id,

        reader,
        version,
        language,
        intent,
        budget_currency,
        objection,
        buying_signal,
        risk,
        principle,

        language_confidence,
        intent_confidence,
        budget_low_minor,
        budget_high_minor,
        budget_confidence,
        timeline_days,
        timeline_confidence,
        objection_confidence,
        buying_signal_confidence,
        risk_confidence,
        principle_confidence
    from source
)

select * from renamed
