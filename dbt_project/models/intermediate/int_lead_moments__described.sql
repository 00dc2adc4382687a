-- One row per lead and instant at which its score may change, with running counts and last words of all that had happened by then.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with moments as (
    select tenant_id, lead_id, scored_at from {{ ref('int_lead_moments__collected') }}
),

appointments as (
    select
        events.tenant_id,
        lead_points.lead_id,
        events.kind,
        events.occurred_at
    from {{ ref('stg_lake__appointments') }} as events
    {{ join_lead('events') }}
    where lead_points.lead_id is not null
),

-- Long form: what counts at an instant counts for all moments at that instant and after it.
stream as (
    select
        tenant_id,
        lead_id,
        occurred_at,
        event_kind as word,
        case when event_kind in ('opted_in', 'opted_out') then event_kind end as consent,
        case when event_kind in ('assigned', 'unassigned') then event_kind end as hands,
        is_human_outbound,
        cast(null as bigint) as score,
        cast(null as bigint) as signal_points,
        cast(null as {{ text_type() }}) as tier,
        occurred_at as seen_at
    from {{ ref('int_lead_events__sequenced') }}
    union all
    select
        tenant_id, lead_id, occurred_at, 'turn' as word, null as consent, null as hands, false as is_human_outbound,
        null as score, null as signal_points, null as tier, occurred_at as seen_at
    from {{ ref('int_ai_turns__identified') }}
    where lead_id is not null
    union all
    select
        tenant_id, lead_id, occurred_at, kind as word, null as consent, null as hands, false as is_human_outbound,
        null as score, null as signal_points, null as tier, occurred_at as seen_at
    from appointments
    union all
    select
        tenant_id, lead_id, scored_at as occurred_at, 'score' as word, null as consent, null as hands, false as is_human_outbound,
        score, signal_points, tier, null as seen_at
    from {{ ref('fct_lead_scores') }}
    union all
    select
        tenant_id, lead_id, scored_at as occurred_at, 'moment' as word, null as consent, null as hands, false as is_human_outbound,
        null as score, null as signal_points, null as tier, null as seen_at
    from moments
),

counted as (
    select
        *,
        sum(case when word = 'inbound' then 1 else 0 end) over so_far as inbound_count,
        sum(case when word = 'outbound' then 1 else 0 end) over so_far as outbound_count,
        sum(case when is_human_outbound then 1 else 0 end) over so_far as human_outbound_count,
        sum(case when word = 'turn' then 1 else 0 end) over so_far as turn_count,
        sum(case when word in ('booked', 'rescheduled_from') then 1 else 0 end) over so_far as booking_count,
        sum(case when word = 'no_show_marked' then 1 else 0 end) over so_far as no_show_count,
        count(consent) over so_far as consent_no,
        count(hands) over so_far as hands_no,
        count(score) over so_far as score_no,
        min(seen_at) over so_far as first_seen_at
    from stream
    window so_far as (
        partition by tenant_id, lead_id
        order by occurred_at
        range between unbounded preceding and current row
    )
),

-- Of several words at one instant the later by name stands: a refusal, and being in nobody's hands.
described as (
    select
        *,
        max(consent) over (partition by tenant_id, lead_id, consent_no) as last_consent,
        max(hands) over (partition by tenant_id, lead_id, hands_no) as last_hands,
        max(score) over (partition by tenant_id, lead_id, score_no) as last_score,
        max(signal_points) over (partition by tenant_id, lead_id, score_no) as last_signal_points,
        max(tier) over (partition by tenant_id, lead_id, score_no) as last_tier
    from counted
),

final as (
    select
        tenant_id,
        lead_id,
        occurred_at as scored_at,
        inbound_count,
        outbound_count,
        human_outbound_count,
        turn_count,
        booking_count,
        no_show_count,
        coalesce(last_consent = 'opted_out', false) as is_opted_out,
        coalesce(last_hands = 'assigned', false) as is_assigned,
        last_score as score,
        last_signal_points as signal_points,
        last_tier as tier,
        first_seen_at
    from described
    where word = 'moment'
)

select * from final
