-- One row per lead and instant at which its points or its tier changed.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with points as (
    select
        *,
        {{ whole_division('intent_weight * intent_percent', 100) }} as intent_points,
        {{ whole_division('budget_weight * budget_percent', 100) }} as budget_points,
        {{ whole_division('timeline_weight * timeline_percent', 100) }} as timeline_points,
        {{ whole_division('engagement_weight * engagement_percent_squared', 10000) }} as engagement_points,
        {{ whole_division('signal_weight * signal_percent', 100) }} as signal_points
    from {{ ref('int_lead_moments__rated') }}
),

scores as (
    select
        *,
        intent_points + budget_points + timeline_points + engagement_points + signal_points as score
    from points
),

tiers as (
    select
        *,
        case when score >= hot_at then 'HOT' when score >= warm_at then 'WARM' else 'COLD' end as tier
    from scores
),

compared as (
    select
        *,
        row_number() over in_time as moment_no,
        lag(tier) over in_time as previous_tier,
        lag(intent_points) over in_time as previous_intent_points,
        lag(budget_points) over in_time as previous_budget_points,
        lag(timeline_points) over in_time as previous_timeline_points,
        lag(engagement_points) over in_time as previous_engagement_points,
        lag(signal_points) over in_time as previous_signal_points
    from tiers
    window in_time as (partition by tenant_id, lead_id order by scored_at)
)

select
    tenant_id,
    lead_id,
    trigger_event_id,

    tier,
    concat_ws(
        ',',
        last_turn_event_id,
        last_inbound_event_id,
        case when last_reply_event_id <> last_inbound_event_id then last_reply_event_id end
    ) as evidence_event_ids,

    intent_points,
    budget_points,
    timeline_points,
    engagement_points,
    signal_points,
    score,
    confidence,

    scored_at,
    weights_valid_from
from compared
where
    moment_no = 1
    or tier <> previous_tier
    or intent_points <> previous_intent_points
    or budget_points <> previous_budget_points
    or timeline_points <> previous_timeline_points
    or engagement_points <> previous_engagement_points
    or signal_points <> previous_signal_points
