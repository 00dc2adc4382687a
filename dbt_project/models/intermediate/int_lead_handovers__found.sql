-- One row per wait of a lead for a person: from being escalated or assigned until a person acts, or the matter ends.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with escalations as (
    select
        tenant_id,
        lead_id,
        last_turn_event_id as event_id,
        'escalated' as item,
        ended_at as occurred_at
    from {{ ref('fct_qualification') }}
    where outcome = 'escalated' and lead_id is not null
    union all
    select
        tenant_id,
        lead_id,
        event_id,
        'escalated' as item,
        risk_at as occurred_at
    from {{ ref('int_conversation_risks__found') }}
    where lead_id is not null
),

items as (
    select
        tenant_id,
        lead_id,
        event_id,
        case when is_human_outbound then 'person_replied' else event_kind end as item,
        case when event_kind in ('escalated', 'assigned') then 0 else 1 end as item_order,
        occurred_at
    from {{ ref('int_lead_events__sequenced') }}
    where
        is_human_outbound
        or event_kind in ('escalated', 'assigned', 'human_action', 'resolved', 'won', 'lost', 'opted_out')
    union all
    select
        tenant_id,
        lead_id,
        event_id,
        item,
        0 as item_order,
        occurred_at
    from escalations
),

-- At one instant what starts a wait comes before what ends it.
numbered as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id
            order by occurred_at, item_order, item, event_id
        ) as item_no
    from items
),

compared as (
    select
        *,
        lag(item_order) over (partition by tenant_id, lead_id order by item_no) as previous_order,
        min(case when item_order = 1 then item_no end) over (
            partition by tenant_id, lead_id
            order by item_no
            rows between 1 following and unbounded following
        ) as stop_item_no
    from numbered
),

final as (
    select
        compared.tenant_id,
        compared.lead_id,
        compared.event_id as trigger_event_id,
        stops.event_id as stop_event_id,

        stops.item as stop_reason,

        compared.occurred_at as started_at,
        stops.occurred_at as stopped_at
    from compared
    left join numbered as stops
        on
            compared.tenant_id = stops.tenant_id
            and compared.lead_id = stops.lead_id
            and compared.stop_item_no = stops.item_no
    where compared.item_order = 0 and coalesce(compared.previous_order, 1) = 1
)

select * from final
