-- One row per lead and instant at which its score may change, with each factor's percent and the weights valid then.
-- A join a factor, each with a handful of levels: 1.3 s for 850,000 moments where one long table of all factors, summed, took 5.5 s.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
{% set named = ['intent', 'buying_signal', 'objection'] %}
{% set measured = ['budget', 'timeline', 'recency', 'frequency', 'reply_speed'] %}
{% set engagement = ['recency', 'frequency', 'reply_speed'] %}
with weighed as (
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

-- A factor is either named by a level or measured by an amount in the unit of its bounds.
moments as (
    select
        *,
        intent as intent_level,
        case when buying_signal is not null then 'present' end as buying_signal_level,
        case when objection is not null then 'present' end as objection_level,
        case
            when budget_minor <= 0 then 0
            when budget_minor * 100 < typical_deal_minor then 1
            when typical_deal_minor > 0 then {{ whole_division('budget_minor * 100', 'typical_deal_minor') }}
        end as budget_amount,
        timeline_days as timeline_amount,
        {{ seconds_between('last_inbound_at', 'scored_at') }} as recency_amount,
        inbound_count_7d as frequency_amount,
        -- Rounded up, so that an answer a microsecond after five minutes is not within five minutes.
        {{ whole_division('reply_microseconds + 999999', 1000000) }} as reply_speed_amount
    from weighed
),

levels as (
    select
        *,
        lead(lower_bound) over (partition by factor, valid_from order by lower_bound) as upper_bound
    from {{ ref('scoring_levels') }}
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
        cast(coalesce(intent.percent, 0) as bigint) as intent_percent,
        cast(coalesce(budget.percent, 0) as bigint) as budget_percent,
        cast(coalesce(timeline.percent, 0) as bigint) as timeline_percent,
        cast(
            {% for factor in engagement -%}
                {{ '+ ' if not loop.first }}coalesce({{ factor }}.percent * {{ factor }}_share.percent, 0)
            {% endfor -%}
            as bigint
        ) as engagement_percent_squared,
        cast(greatest(0, least(100, coalesce(buying_signal.percent, 0) + coalesce(objection.percent, 0))) as bigint) as signal_percent,

        moments.scored_at,
        moments.weights_valid_from
    from moments
    {% for factor in named -%}
        left join levels as {{ factor }}
            on
                {{ factor }}.factor = '{{ factor }}'
                and moments.{{ factor }}_level = {{ factor }}.level
                and {{ is_valid_at(factor, 'moments.scored_at') }}
    {% endfor -%}
    {% for factor in measured -%}
        left join levels as {{ factor }}
            on
                {{ factor }}.factor = '{{ factor }}'
                and {{ factor }}.lower_bound <= moments.{{ factor }}_amount
                and ({{ factor }}.upper_bound is null or moments.{{ factor }}_amount < {{ factor }}.upper_bound)
                and {{ is_valid_at(factor, 'moments.scored_at') }}
    {% endfor -%}
    {% for factor in engagement -%}
        left join levels as {{ factor }}_share
            on
                {{ factor }}_share.factor = 'engagement_share'
                and {{ factor }}_share.level = '{{ factor }}'
                and {{ is_valid_at(factor ~ '_share', 'moments.scored_at') }}
    {% endfor -%}
)

select * from final
