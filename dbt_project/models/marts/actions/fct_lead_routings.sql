-- One row per matter of a lead that wants a person: whose it is. Who has the lead in hand keeps it, else the least burdened at work.
with matters as (
    select * from {{ ref('int_lead_matters__raised') }}
),

needs as (
    select
        matters.tenant_id,
        matters.rule,
        matters.trigger_event_id,
        given.person_id,
        given.works_from_at
    from matters
    inner join {{ ref('int_lead_needs__queued') }} as needs
        on
            matters.tenant_id = needs.tenant_id
            and matters.lead_id = needs.lead_id
            and matters.raised_at >= needs.began_at
            and matters.raised_at < needs.ends_at
    inner join {{ ref('int_lead_needs__given') }} as given
        on
            needs.tenant_id = given.tenant_id
            and needs.lead_id = given.lead_id
            and needs.need_no = given.need_no
    where not matters.is_in_hands
)

select
    matters.tenant_id,
    matters.lead_id,
    matters.trigger_event_id,
    coalesce(matters.held_by, needs.person_id) as assigned_to,

    matters.rule,
    matters.is_in_hands,

    matters.raised_at,
    matters.answered_at,
    needs.works_from_at
from matters
left join needs
    on
        matters.tenant_id = needs.tenant_id
        and matters.rule = needs.rule
        and matters.trigger_event_id = needs.trigger_event_id
