-- One row per stretch in which a vendor lets us not send from an account, a number of it, or with a template: from a state that suspends to
-- the next that lifts it, or to the moment that the vendor named.
with told as (
    select
        events.tenant_id,
        events.event_id,
        events.account_id,
        events.source,
        states.scope,
        case states.scope
            when 'template' then events.template_name
            when 'number' then events.subject
        end as subject,
        events.state,
        states.effect,
        events.occurred_at,
        events.expires_at
    from {{ ref('stg_lake__account_events') }} as events
    inner join {{ ref('account_states') }} as states
        on
            events.source = states.source
            and events.kind = states.kind
            and events.state = states.state
            and {{ is_valid_at('states', 'events.occurred_at') }}
),

lifted as (
    select
        suspensions.tenant_id,
        suspensions.event_id,
        min(lifts.occurred_at) as lifted_at
    from told as suspensions
    inner join told as lifts
        on
            suspensions.tenant_id = lifts.tenant_id
            and suspensions.source = lifts.source
            and suspensions.account_id = lifts.account_id
            and suspensions.scope = lifts.scope
            and coalesce(suspensions.subject, '') = coalesce(lifts.subject, '')
            -- at one instant the suspension stands: better a message too few than one too many
            and suspensions.occurred_at < lifts.occurred_at
    where suspensions.effect = 'suspend' and lifts.effect = 'lift'
    group by suspensions.tenant_id, suspensions.event_id
),

final as (
    select
        told.*,
        least(
            coalesce(lifted.lifted_at, told.expires_at),
            coalesce(told.expires_at, lifted.lifted_at)
        ) as until_at
    from told
    left join lifted
        on
            told.tenant_id = lifted.tenant_id
            and told.event_id = lifted.event_id
    where
        told.effect = 'suspend'
        and (told.expires_at is null or told.expires_at > told.occurred_at)
)

select
    tenant_id,
    event_id as suspension_id,
    account_id,
    subject,

    source as channel,
    scope,
    state as reason,

    occurred_at as since_at,
    until_at
from final
