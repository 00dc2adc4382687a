-- One row per message with text: what it says.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select * from {{ ref('fct_messages') }}
),

final as (
    select
        messages.tenant_id,
        messages.message_id,
        messages.event_id,
        messages.conversation_id,
        messages.lead_id,
        messages.contact_point_id,
        messages.direction,
        messages.sent_at,
        signals.reader,
        signals.version,
        signals.language,
        signals.intent,
        signals.budget_currency,
        signals.objection,
        signals.buying_signal,
        signals.risk,
        signals.principle,
        coalesce(messages.direction = 'inbound' and signals.risk <> 'none', false) as is_high_risk,
        signals.language_confidence,
        signals.intent_confidence,
        signals.budget_low_minor,
        signals.budget_high_minor,
        signals.budget_confidence,
        signals.timeline_days,
        signals.timeline_confidence,
        signals.objection_confidence,
        signals.buying_signal_confidence,
        signals.risk_confidence,
        signals.principle_confidence
    from messages
    inner join {{ ref('stg_reference__message_signals') }} as signals
        on
            messages.tenant_id = signals.tenant_id
            and messages.event_id = signals.event_id
)

select
    tenant_id,
    message_id,
    event_id,
    conversation_id,
    lead_id,
    contact_point_id,

    direction,
    reader,
    version,
    language,
    intent,
    budget_currency,
    objection,
    buying_signal,
    risk,
    principle,
    is_high_risk,

    coalesce(budget_high_minor, budget_low_minor) as budget_minor,
    budget_low_minor,
    budget_high_minor,
    timeline_days,
    language_confidence,
    intent_confidence,
    budget_confidence,
    timeline_confidence,
    objection_confidence,
    buying_signal_confidence,
    risk_confidence,
    principle_confidence,

    sent_at
from final
