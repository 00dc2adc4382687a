-- One row per lead and instant at which its score may change, with each factor's percent and the weights valid then.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with moments as (
    select
        moments.*,
        weights.intent_points as intent_weight,
        weights.budget_points as budget_weight,
        weights.timeline_points as timeline_weight,
        weights.engagement_points as engagement_weight,
        weights.signal_points as signal_weight,
        weights.hot_at,
        weights.warm_at,
        weights.typical_deal_minor,
        weights.valid_from as weights_valid_from,
        turns.intent,
        turns.timeline_days,
        turns.objection,
        turns.buying_signal,
        turns.confidence,
        case when turns.budget_currency = tenants.currency then turns.budget_minor end as budget_minor
    from {{ ref('int_lead_moments__collected') }} as moments
    inner join {{ source('reference', 'scoring_weights') }} as weights
        on
            moments.tenant_id = weights.tenant_id
            and {{ is_valid_at('weights', 'moments.scored_at') }}
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on moments.tenant_id = tenants.tenant_id
    left join {{ ref('int_ai_turns__identified') }} as turns
        on
            moments.tenant_id = turns.tenant_id
            and moments.last_turn_event_id = turns.event_id
    where moments.scored_at <= {{ as_of() }}
),

levels as (
    select
        *,
        lead(lower_bound) over (partition by factor, valid_from order by lower_bound) as upper_bound
    from {{ ref('scoring_levels') }}
),

-- Long form: a factor is either named by a level or measured by an amount in the unit of its bounds.
measures as (
    select tenant_id, lead_id, scored_at, 'intent' as factor, intent as level, cast(null as bigint) as amount
    from moments
    union all
    select tenant_id, lead_id, scored_at, 'buying_signal' as factor, case when buying_signal is not null then 'present' end, null
    from moments
    union all
    select tenant_id, lead_id, scored_at, 'objection' as factor, case when objection is not null then 'present' end, null
    from moments
    union all
    select
        tenant_id, lead_id, scored_at, 'budget' as factor, null,
        case
            when budget_minor <= 0 then 0
            when budget_minor * 100 < typical_deal_minor then 1
            when typical_deal_minor > 0 then {{ whole_division('budget_minor * 100', 'typical_deal_minor') }}
        end
    from moments
    union all
    select tenant_id, lead_id, scored_at, 'timeline' as factor, null, timeline_days
    from moments
    union all
    select tenant_id, lead_id, scored_at, 'recency' as factor, null, {{ seconds_between('last_inbound_at', 'scored_at') }}
    from moments
    union all
    select tenant_id, lead_id, scored_at, 'frequency' as factor, null, inbound_count_7d
    from moments
    union all
    -- Rounded up, so that an answer a microsecond after five minutes is not within five minutes.
    select tenant_id, lead_id, scored_at, 'reply_speed' as factor, null, {{ whole_division('reply_microseconds + 999999', 1000000) }}
    from moments
),

rated as (
    select
        measures.tenant_id,
        measures.lead_id,
        measures.scored_at,
        measures.factor,
        levels.percent,
        shares.percent as share_percent
    from measures
    inner join levels
        on
            measures.factor = levels.factor
            and (
                measures.level = levels.level
                or (levels.lower_bound <= measures.amount and (levels.upper_bound is null or measures.amount < levels.upper_bound))
            )
            and {{ is_valid_at('levels', 'measures.scored_at') }}
    left join levels as shares
        on
            shares.factor = 'engagement_share'
            and measures.factor = shares.level
            and {{ is_valid_at('shares', 'measures.scored_at') }}
),

summed as (
    select
        tenant_id,
        lead_id,
        scored_at,
        sum(case when factor = 'intent' then percent else 0 end) as intent_percent,
        sum(case when factor = 'budget' then percent else 0 end) as budget_percent,
        sum(case when factor = 'timeline' then percent else 0 end) as timeline_percent,
        sum(coalesce(percent * share_percent, 0)) as engagement_percent_squared,
        sum(case when factor in ('buying_signal', 'objection') then percent else 0 end) as signal_percent
    from rated
    group by tenant_id, lead_id, scored_at
),

final as (
    select
        moments.tenant_id,
        moments.lead_id,
        moments.trigger_event_id,
        moments.last_turn_event_id,
        moments.last_inbound_event_id,
        moments.last_reply_event_id,

        moments.intent_weight,
        moments.budget_weight,
        moments.timeline_weight,
        moments.engagement_weight,
        moments.signal_weight,
        moments.hot_at,
        moments.warm_at,
        moments.confidence,
        cast(coalesce(summed.intent_percent, 0) as bigint) as intent_percent,
        cast(coalesce(summed.budget_percent, 0) as bigint) as budget_percent,
        cast(coalesce(summed.timeline_percent, 0) as bigint) as timeline_percent,
        cast(coalesce(summed.engagement_percent_squared, 0) as bigint) as engagement_percent_squared,
        cast(greatest(0, least(100, coalesce(summed.signal_percent, 0))) as bigint) as signal_percent,

        moments.scored_at,
        moments.weights_valid_from
    from moments
    left join summed
        on
            moments.tenant_id = summed.tenant_id
            and moments.lead_id = summed.lead_id
            and moments.scored_at = summed.scored_at
)

select * from final
