-- One row per lead: what is known of it at as_of.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with leads as (
    select
        tenant_id,
        lead_id,
        min(valid_from) as held_from
    from {{ ref('stg_reference__lead_points') }}
    group by tenant_id, lead_id
),

events as (
    select
        tenant_id,
        lead_id,
        min(occurred_at) as first_event_at,
        max(case when event_kind = 'inbound' then occurred_at end) as last_inbound_at,
        max(case when event_kind = 'outbound' then occurred_at end) as last_outbound_at
    from {{ ref('int_lead_events__sequenced') }}
    group by tenant_id, lead_id
),

-- Where the lead was met: where messages went either way, and where it booked.
channels as (
    select
        tenant_id,
        lead_id,
        {{ distinct_list('channel') }} as channels
    from (
        select tenant_id, lead_id, channel from {{ ref('int_lead_events__sequenced') }}
        where event_kind in ('inbound', 'outbound')
        union all
        select tenant_id, lead_id, 'calendly' as channel from {{ ref('int_appointments__chained') }}
        where lead_id is not null
    ) as met
    group by tenant_id, lead_id
),

-- The last word of each matter: outcome, consent, hands.
ranked as (
    select
        *,
        case
            when event_kind in ('won', 'lost') then 'outcome'
            when event_kind in ('opted_in', 'opted_out') then 'consent'
            when event_kind in ('assigned', 'unassigned') then 'hands'
        end as matter
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('won', 'lost', 'opted_in', 'opted_out', 'assigned', 'unassigned')
),

ordered as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id, matter
            order by occurred_at desc, event_order desc, event_kind desc, event_id desc
        ) as recency_no
    from ranked
),

last_words as (
    select
        tenant_id,
        lead_id,
        max(case when matter = 'outcome' then event_kind end) as outcome,
        max(case when matter = 'consent' then event_kind end) as consent,
        max(case when event_kind = 'assigned' then person_id end) as assigned_to
    from ordered
    where recency_no = 1
    group by tenant_id, lead_id
),

verdicts as (
    select
        tenant_id,
        lead_id,
        outcome,
        row_number() over (
            partition by tenant_id, lead_id
            order by ended_at desc, conversation_id desc
        ) as recency_no
    from {{ ref('fct_qualification') }}
    where outcome in ('qualified', 'disqualified')
),

scores as (
    select
        tenant_id,
        lead_id,
        score,
        row_number() over (partition by tenant_id, lead_id order by scored_at desc) as recency_no
    from {{ ref('fct_lead_scores') }}
),

tiers as (
    select
        tenant_id,
        lead_id,
        tier,
        row_number() over (partition by tenant_id, lead_id order by decided_at desc) as recency_no
    from {{ ref('int_lead_tiers__decided') }}
),

-- From the request on nobody writes to the person, unless it is denied.
erasures as (
    select
        tenant_id,
        lead_id
    from {{ ref('int_erasures__asked') }}
)

select
    leads.tenant_id,
    leads.lead_id,
    last_words.assigned_to,

    channels.channels,
    case
        when last_words.outcome is not null then last_words.outcome
        when verdicts.outcome is not null then verdicts.outcome
        when events.last_inbound_at is not null and events.last_outbound_at is not null then 'engaged'
        else 'new'
    end as stage,
    tiers.tier,
    coalesce(last_words.consent = 'opted_out', false) as is_opted_out,
    erasures.lead_id is not null as is_erased,

    scores.score,

    coalesce(events.first_event_at, leads.held_from) as first_seen_at,
    events.last_inbound_at,
    events.last_outbound_at
from leads
left join events
    on leads.tenant_id = events.tenant_id and leads.lead_id = events.lead_id
left join channels
    on leads.tenant_id = channels.tenant_id and leads.lead_id = channels.lead_id
left join last_words
    on leads.tenant_id = last_words.tenant_id and leads.lead_id = last_words.lead_id
left join verdicts
    on leads.tenant_id = verdicts.tenant_id and leads.lead_id = verdicts.lead_id and verdicts.recency_no = 1
left join scores
    on leads.tenant_id = scores.tenant_id and leads.lead_id = scores.lead_id and scores.recency_no = 1
left join tiers
    on leads.tenant_id = tiers.tenant_id and leads.lead_id = tiers.lead_id and tiers.recency_no = 1
left join erasures
    on leads.tenant_id = erasures.tenant_id and leads.lead_id = erasures.lead_id
