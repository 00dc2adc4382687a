-- One row per conversation in which the assistant took a turn: what it found, and how the qualification ended.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with conversations as (
    select * from {{ ref('fct_conversations') }}
),

-- A turn belongs to the conversation of its lead on its channel that was opened last at or before it.
candidates as (
    select
        turns.*,
        conversations.conversation_id,
        conversations.closed_at,
        row_number() over (
            partition by turns.tenant_id, turns.event_id
            order by conversations.opened_at desc, conversations.conversation_id asc
        ) as candidate_no
    from {{ ref('int_ai_turns__identified') }} as turns
    inner join conversations
        on
            turns.tenant_id = conversations.tenant_id
            and turns.lead_id = conversations.lead_id
            and turns.channel = conversations.channel
            and turns.occurred_at >= conversations.opened_at
),

numbered as (
    select
        *,
        row_number() over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_id
        ) as turn_no,
        sum(case when confidence < low_confidence then 1 else 0 end) over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as low_count,
        max(finding) over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as finding_so_far
    from candidates
    where candidate_no = 1
),

-- What the lead wrote by then counts as much as what the assistant noticed of it.
warned as (
    select
        numbered.*,
        risks.risk as written_risk
    from numbered
    left join {{ ref('int_conversation_risks__found') }} as risks
        on
            numbered.tenant_id = risks.tenant_id
            and numbered.conversation_id = risks.conversation_id
            and numbered.occurred_at >= risks.risk_at
),

-- Escalation beats a verdict of the same turn: a risk, a wish for a person and a doubtful assistant all want a person.
judged as (
    select
        *,
        case
            when risk <> 'none' then 'high_risk:' || risk
            when written_risk is not null then 'high_risk:' || written_risk
            when asked_for_human then 'asked_for_human'
            when confidence < low_confidence and low_count >= 2 then 'low_confidence'
            when verdict in ('qualified', 'disqualified') then null
            when verdict = 'escalate' then 'assistant'
            when turn_no >= max_ai_turns then 'turn_limit'
        end as escalation_reason
    from warned
),

ended as (
    select
        *,
        case
            when escalation_reason is not null then 'escalated'
            when verdict in ('qualified', 'disqualified') then verdict
        end as verdict_outcome
    from judged
),

-- The turn that ends the qualification is the last that counts; without one, the latest turn.
counted as (
    select
        *,
        min(case when verdict_outcome is not null then turn_no end) over (
            partition by tenant_id, conversation_id
        ) as ending_turn_no,
        max(turn_no) over (partition by tenant_id, conversation_id) as latest_turn_no
    from ended
)

select
    tenant_id,
    conversation_id,
    lead_id,
    event_id as last_turn_event_id,

    coalesce(verdict_outcome, case when closed_at is null then 'open' else 'lapsed' end) as outcome,
    escalation_reason,
    intent,
    budget_currency,
    objection,
    buying_signal,
    finding_so_far as finding,
    {{ json_object({
        'intent': json_text('intent'),
        'budget_minor': json_number('budget_minor'),
        'budget_currency': json_text('budget_currency'),
        'timeline_days': json_number('timeline_days'),
        'objection': json_text('objection'),
        'buying_signal': json_text('buying_signal'),
    }) }} as slots,

    cast(turn_no as bigint) as turns,
    budget_minor,
    timeline_days,
    confidence,

    case when verdict_outcome is not null then occurred_at else closed_at end as ended_at
from counted
where turn_no = coalesce(ending_turn_no, latest_turn_no)
