-- One row per matter of a lead that wants a person: it became HOT, wrote something of high risk, or the assistant gave up. With who had
-- the lead in hand at that instant, and when the matter is answered: by an assignment, or by its end. A message of high risk is told at
-- once; the turn of the assistant that comes to the same tells nothing new.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with tiers as (
    select
        *,
        lag(tier) over (partition by tenant_id, lead_id order by decided_at) as previous_tier
    from {{ ref('int_lead_tiers__decided') }}
),

matters as (
    select
        tenant_id,
        lead_id,
        'routing' as rule,
        'hot' as subject,
        trigger_event_id,
        tier,
        cast(null as {{ text_type() }}) as conversation_id,
        cast(null as {{ text_type() }}) as escalation_reason,
        decided_at as raised_at
    from tiers
    where tier = 'HOT' and coalesce(previous_tier, '') <> 'HOT'
    union all
    select
        tenant_id,
        lead_id,
        'escalation' as rule,
        'risk' as subject,
        event_id,
        cast(null as {{ text_type() }}) as tier,
        conversation_id,
        'high_risk:' || risk as escalation_reason,
        risk_at
    from {{ ref('int_conversation_risks__found') }}
    where lead_id is not null
    union all
    select
        qualification.tenant_id,
        qualification.lead_id,
        'escalation' as rule,
        'qualification' as subject,
        qualification.last_turn_event_id,
        cast(null as {{ text_type() }}) as tier,
        qualification.conversation_id,
        qualification.escalation_reason,
        qualification.ended_at
    from {{ ref('fct_qualification') }} as qualification
    left join {{ ref('int_conversation_risks__found') }} as risks
        on
            qualification.tenant_id = risks.tenant_id
            and qualification.conversation_id = risks.conversation_id
            and risks.lead_id is not null
            and qualification.ended_at >= risks.risk_at
    where qualification.outcome = 'escalated' and risks.event_id is null
),

-- What happens at the very instant comes before the matter.
items as (
    select
        tenant_id,
        lead_id,
        cast(null as {{ text_type() }}) as rule,
        event_id,
        event_kind as item,
        event_order,
        occurred_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('assigned', 'unassigned', 'won', 'lost', 'opted_out')
    union all
    select
        tenant_id,
        lead_id,
        rule,
        trigger_event_id,
        'matter' as item,
        9 as event_order,
        raised_at
    from matters
    where lead_id is not null
),

numbered as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id
            order by occurred_at, event_order, item, event_id, rule
        ) as item_no
    from items
),

looked as (
    select
        *,
        max(case when item in ('assigned', 'unassigned') then item_no end) over (
            partition by tenant_id, lead_id
            order by item_no
            rows between unbounded preceding and current row
        ) as hands_item_no,
        min(case when item in ('assigned', 'won', 'lost', 'opted_out') then occurred_at end) over (
            partition by tenant_id, lead_id
            order by item_no
            rows between 1 following and unbounded following
        ) as answered_at
    from numbered
),

final as (
    select
        matters.tenant_id,
        matters.lead_id,
        matters.trigger_event_id,
        matters.conversation_id,
        case when hands.event_kind = 'assigned' then hands.person_id end as held_by,

        matters.rule,
        matters.subject,
        matters.tier,
        matters.escalation_reason,
        coalesce(hands.event_kind = 'assigned', false) as is_in_hands,

        matters.raised_at,
        looked.answered_at,
        {{ add_seconds('matters.raised_at', 'lifetimes.seconds') }} as lapses_at
    from matters
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on matters.rule = lifetimes.rule and {{ is_valid_at('lifetimes', 'matters.raised_at') }}
    left join looked
        on
            matters.tenant_id = looked.tenant_id
            and matters.lead_id = looked.lead_id
            and matters.rule = looked.rule
            and matters.trigger_event_id = looked.event_id
            and looked.item = 'matter'
    left join numbered
        on
            looked.tenant_id = numbered.tenant_id
            and looked.lead_id = numbered.lead_id
            and looked.hands_item_no = numbered.item_no
    left join {{ ref('int_lead_events__sequenced') }} as hands
        on
            numbered.tenant_id = hands.tenant_id
            and numbered.lead_id = hands.lead_id
            and numbered.event_id = hands.event_id
            and numbered.item = hands.event_kind
)

select * from final
