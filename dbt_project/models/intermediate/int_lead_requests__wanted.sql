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

escalations as (
    select
        tenant_id,
        'escalation' as rule,
        lead_id,
        'qualification' as subject,
        last_turn_event_id as trigger_id,
        {{ json_object({'reason': json_text('escalation_reason'), 'conversation_id': json_text('conversation_id')}) }} as details,
        ended_at as due_at
    from {{ ref('fct_qualification') }}
    where outcome = 'escalated'
),

wishes as (
    select * from routings
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
