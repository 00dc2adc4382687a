-- One row per lead that became HOT or whose assistant needs a person, and whose it is: the operating system is to assign it, or, where
-- somebody has it in hand or nobody can take it, people are told.
with final as (
    select
        matters.tenant_id,
        matters.rule,
        case when routings.is_in_hands or routings.assigned_to is null then 'notify' else 'assign' end as kind,
        'webhook' as channel,
        matters.lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        matters.subject,
        matters.trigger_event_id as trigger_id,
        case matters.rule
            when 'routing' then {{ json_object({
                'tier': json_text('matters.tier'),
                'route': "'\"human_now\"'",
                'assigned_to': json_text('routings.assigned_to'),
                'works_from_at': json_text(iso_time('routings.works_from_at')),
            }) }}
            else {{ json_object({
                'reason': json_text('matters.escalation_reason'),
                'conversation_id': json_text('matters.conversation_id'),
                'assigned_to': json_text('routings.assigned_to'),
                'works_from_at': json_text(iso_time('routings.works_from_at')),
            }) }}
        end as details,
        matters.raised_at as due_at,
        matters.lapses_at,
        -- who was given the lead meanwhile keeps it
        case when not routings.is_in_hands then routings.answered_at end as settled_at
    from {{ ref('int_lead_matters__raised') }} as matters
    inner join {{ ref('fct_lead_routings') }} as routings
        on
            matters.tenant_id = routings.tenant_id
            and matters.rule = routings.rule
            and matters.trigger_event_id = routings.trigger_event_id
)

select * from final
