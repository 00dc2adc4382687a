-- One row per notice to the tenant's people about a lead: it became HOT and is theirs now, or the assistant needs a person.
with tiers as (
    select
        *,
        lag(tier) over (partition by tenant_id, lead_id order by decided_at) as previous_tier
    from {{ ref('int_lead_tiers__decided') }}
),

routings as (
    select
        tenant_id,
        'routing' as rule,
        lead_id,
        'hot' as subject,
        trigger_event_id as trigger_id,
        {{ json_object({'tier': json_text('tier'), 'route': "'\"human_now\"'"}) }} as details,
        decided_at as due_at
    from tiers
    where tier = 'HOT' and coalesce(previous_tier, '') <> 'HOT'
),

-- A message of high risk is told at once, whoever answers there; the turn of the assistant that comes to the same tells nothing new.
risks as (
    select
        tenant_id,
        'escalation' as rule,
        lead_id,
        'risk' as subject,
        event_id as trigger_id,
        {{ json_object({'reason': json_text("'high_risk:' || risk"), 'conversation_id': json_text('conversation_id')}) }} as details,
        risk_at as due_at
    from {{ ref('int_conversation_risks__found') }}
    where lead_id is not null
),

escalations as (
    select
        qualification.tenant_id,
        'escalation' as rule,
        qualification.lead_id,
        'qualification' as subject,
        qualification.last_turn_event_id as trigger_id,
        {{ json_object({'reason': json_text('qualification.escalation_reason'), 'conversation_id': json_text('qualification.conversation_id')}) }}
            as details,
        qualification.ended_at as due_at
    from {{ ref('fct_qualification') }} as qualification
    left join {{ ref('int_conversation_risks__found') }} as risks
        on
            qualification.tenant_id = risks.tenant_id
            and qualification.conversation_id = risks.conversation_id
            and risks.lead_id is not null
            and qualification.ended_at >= risks.risk_at
    where qualification.outcome = 'escalated' and risks.event_id is null
),

wishes as (
    select * from routings
    union all
    select * from risks
    union all
    select * from escalations
),

final as (
    select
        wishes.tenant_id,
        wishes.rule,
        'notify' as kind,
        'webhook' as channel,
        wishes.lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        wishes.subject,
        wishes.trigger_id,
        wishes.details,
        wishes.due_at,
        {{ add_seconds('wishes.due_at', 'lifetimes.seconds') }} as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from wishes
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on wishes.rule = lifetimes.rule and {{ is_valid_at('lifetimes', 'wishes.due_at') }}
)

select * from final
