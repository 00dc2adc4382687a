-- One row per service-level clock, with the lead's tier and the policy as of the event that started it, and what stopped it.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with events as (
    select * from {{ ref('int_sla_events__found') }}
),

-- A tier that is decided at the instant of the event counts.
steps as (
    select
        tenant_id,
        lead_id,
        cast(null as {{ text_type() }}) as metric,
        cast(null as {{ text_type() }}) as trigger_event_id,
        tier,
        decided_at as happened_at,
        0 as step_order,
        1 as is_decision
    from {{ ref('int_lead_tiers__decided') }}
    union all
    select
        tenant_id,
        lead_id,
        metric,
        trigger_event_id,
        null as tier,
        started_at as happened_at,
        1 as step_order,
        0 as is_decision
    from events
),

counted as (
    select
        *,
        sum(is_decision) over (
            partition by tenant_id, lead_id
            order by happened_at, step_order
            rows between unbounded preceding and current row
        ) as decision_no
    from steps
),

tiers as (
    select
        *,
        max(tier) over (partition by tenant_id, lead_id, decision_no) as tier_then
    from counted
),

policies as (
    select * from {{ ref('stg_reference__sla_policies') }}
),

promised as (
    select
        tenant_id,
        metric,
        tier,
        min(valid_from) as promised_from
    from policies
    group by tenant_id, metric, tier
),

-- What was never promised to this tier, or not yet, has no clock; what once was and has no policy now is a finding.
asked as (
    select
        events.*,
        tiers.tier_then as tier
    from events
    inner join tiers
        on
            events.tenant_id = tiers.tenant_id
            and events.metric = tiers.metric
            and events.trigger_event_id = tiers.trigger_event_id
    left join promised as to_tier
        on
            events.tenant_id = to_tier.tenant_id
            and events.metric = to_tier.metric
            and tiers.tier_then = to_tier.tier
    left join promised as to_any
        on
            events.tenant_id = to_any.tenant_id
            and events.metric = to_any.metric
            and to_any.tier = 'ANY'
    where events.started_at >= to_tier.promised_from or events.started_at >= to_any.promised_from
),

-- Of the policies valid at the event: that of the lead's tier, else that of any tier.
offered as (
    select
        asked.*,
        policies.policy_id,
        policies.calendar_id,
        policies.is_bot_reply_counted,
        policies.target_seconds,
        policies.valid_from as policy_valid_from,
        case when policies.tier = asked.tier then 0 else 1 end as policy_rank
    from asked
    left join policies
        on
            asked.tenant_id = policies.tenant_id
            and asked.metric = policies.metric
            and (asked.tier = policies.tier or policies.tier = 'ANY')
            and {{ is_valid_at('policies', 'asked.started_at') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, metric, trigger_event_id
            order by policy_rank asc, policy_valid_from desc, policy_id asc
        ) as choice_no,
        count(*) over (partition by tenant_id, metric, trigger_event_id, policy_rank) as choices
    from offered
),

calendars as (
    select distinct
        tenant_id,
        calendar_id
    from {{ source('reference', 'business_intervals') }}
),

final as (
    select
        ranked.tenant_id,
        {{ key_of(['ranked.tenant_id', 'ranked.metric', 'ranked.trigger_event_id']) }} as clock_id,
        ranked.lead_id,
        ranked.conversation_id,
        ranked.trigger_event_id,
        case when ranked.is_bot_reply_counted then ranked.reply_event_id else ranked.person_event_id end as stop_event_id,
        ranked.policy_id,
        ranked.calendar_id,

        ranked.metric,
        ranked.tier,
        ranked.is_bot_reply_counted,
        case when ranked.is_bot_reply_counted then ranked.reply_reason else ranked.person_reason end as stop_reason,
        case
            when ranked.policy_id is null then 'no_policy'
            when ranked.choices > 1 then 'two_policies'
            when calendars.calendar_id is null then 'no_calendar'
        end as finding,

        ranked.target_seconds,

        ranked.started_at,
        case when ranked.is_bot_reply_counted then ranked.reply_at else ranked.person_at end as stopped_at,
        ranked.policy_valid_from
    from ranked
    left join calendars
        on
            ranked.tenant_id = calendars.tenant_id
            and ranked.calendar_id = calendars.calendar_id
    where
        ranked.choice_no = 1
        and (ranked.follows_person or coalesce(ranked.is_bot_reply_counted, true))
)

select * from final
