-- One row per tenant, kind of reference data and UTC day with events at which none was valid: nothing is judged by a default.
with happened as (
    select
        tenant_id,
        event_id,
        occurred_at
    from {{ ref('int_messages__identified') }}
    union all
    select
        tenant_id,
        event_id,
        occurred_at
    from {{ ref('int_ai_turns__identified') }}
),

unjudged as (
    select
        happened.tenant_id,
        'no_policy' as finding,
        happened.event_id,
        happened.occurred_at
    from happened
    left join {{ ref('stg_reference__policies') }} as policies
        on
            happened.tenant_id = policies.tenant_id
            and {{ is_valid_at('policies', 'happened.occurred_at') }}
    where policies.tenant_id is null
    union all
    select
        moments.tenant_id,
        'no_scoring_weights' as finding,
        moments.trigger_event_id as event_id,
        moments.scored_at as occurred_at
    from {{ ref('int_lead_moments__collected') }} as moments
    left join {{ source('reference', 'scoring_weights') }} as weights
        on
            moments.tenant_id = weights.tenant_id
            and {{ is_valid_at('weights', 'moments.scored_at') }}
    where weights.tenant_id is null and moments.scored_at <= {{ as_of() }}
),

dated as (
    select
        *,
        {{ local_date('occurred_at', "'UTC'") }} as finding_date
    from unjudged
)

select
    tenant_id,
    finding,
    finding_date,

    count(*) as event_count,

    min(occurred_at) as first_occurred_at,
    max(occurred_at) as last_occurred_at
from dated
group by tenant_id, finding, finding_date
