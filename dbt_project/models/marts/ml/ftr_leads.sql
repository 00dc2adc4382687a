-- One row per lead and instant at which its score may change: what was known of it at that instant, and nothing of what came later.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with moments as (
    select
        moments.*,
        described.inbound_count,
        described.outbound_count,
        described.human_outbound_count,
        described.turn_count,
        described.booking_count,
        described.no_show_count,
        described.is_opted_out,
        described.is_assigned,
        described.score,
        described.signal_points,
        described.tier,
        described.first_seen_at,
        turns.intent,
        turns.objection,
        turns.buying_signal,
        turns.confidence,
        turns.timeline_days,
        case when turns.budget_currency = tenants.currency then turns.budget_minor end as budget_minor
    from {{ ref('int_lead_moments__collected') }} as moments
    inner join {{ ref('int_lead_moments__described') }} as described
        on
            moments.tenant_id = described.tenant_id
            and moments.lead_id = described.lead_id
            and moments.scored_at = described.scored_at
    left join {{ ref('stg_reference__tenants') }} as tenants
        on moments.tenant_id = tenants.tenant_id
    left join {{ ref('int_ai_turns__identified') }} as turns
        on
            moments.tenant_id = turns.tenant_id
            and moments.last_turn_event_id = turns.event_id
)

select
    tenant_id,
    lead_id,
    trigger_event_id,

    intent,
    tier,

    coalesce(objection not in ('', 'none'), false) as has_objection,
    coalesce(buying_signal not in ('', 'none'), false) as has_buying_signal,
    is_assigned,
    is_opted_out,
    budget_minor,
    timeline_days,
    confidence,
    score,
    signal_points,
    cast(inbound_count as bigint) as inbound_count,
    inbound_count_7d,
    cast(outbound_count as bigint) as outbound_count,
    cast(human_outbound_count as bigint) as human_outbound_count,
    cast(turn_count as bigint) as turn_count,
    cast(booking_count as bigint) as booking_count,
    cast(no_show_count as bigint) as no_show_count,
    {{ whole_division('reply_microseconds', '1000000') }} as last_reply_seconds,
    {{ seconds_between('last_inbound_at', 'scored_at') }} as silent_seconds,
    {{ seconds_between('first_seen_at', 'scored_at') }} as age_seconds,

    scored_at as featured_at
from moments
