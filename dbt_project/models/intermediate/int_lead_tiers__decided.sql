-- One row per lead and instant at which its tier was computed or set by a person; from the first setting on, only people count.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with overrides as (
    select
        tenant_id,
        lead_id,
        event_id as trigger_event_id,
        tier,
        occurred_at as decided_at,
        row_number() over (
            partition by tenant_id, lead_id, occurred_at
            order by event_id desc
        ) as same_instant_no,
        min(occurred_at) over (partition by tenant_id, lead_id) as first_override_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind = 'tier_overridden' and tier is not null
),

first_overrides as (
    select
        tenant_id,
        lead_id,
        min(decided_at) as first_override_at
    from overrides
    group by tenant_id, lead_id
),

final as (
    select
        scores.tenant_id,
        scores.lead_id,
        scores.trigger_event_id,
        scores.tier,
        false as is_override,
        scores.scored_at as decided_at
    from {{ ref('fct_lead_scores') }} as scores
    left join first_overrides
        on
            scores.tenant_id = first_overrides.tenant_id
            and scores.lead_id = first_overrides.lead_id
    where first_overrides.first_override_at is null or scores.scored_at < first_overrides.first_override_at
    union all
    select
        tenant_id,
        lead_id,
        trigger_event_id,
        tier,
        true as is_override,
        decided_at
    from overrides
    where same_instant_no = 1
)

select * from final
