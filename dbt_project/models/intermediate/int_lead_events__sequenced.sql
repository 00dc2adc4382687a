-- One row per thing that happened to a lead: messages, what people did, consent. Ordered by occurred_at, event_order, event_kind, event_id.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with messages as (
    select
        tenant_id,
        lead_id,
        event_id,
        occurred_at,
        event_order,
        direction as event_kind,
        contact_point_id,
        channel,
        channel_account_id,
        person_id,
        cast(null as {{ text_type() }}) as tier,
        direction = 'outbound' and author_type = 'human' as is_human_outbound,
        direction = 'outbound' and author_type = 'automation' and action_id is not null and template_name is not null
            as is_recovery_attempt
    from {{ ref('int_messages__identified') }}
),

lead_events as (
    select
        events.tenant_id,
        lead_points.lead_id,
        events.event_id,
        events.occurred_at,
        1 as event_order,
        events.kind as event_kind,
        events.contact_point_id,
        events.channel,
        cast(null as {{ text_type() }}) as channel_account_id,
        events.person_id,
        events.tier,
        false as is_human_outbound,
        false as is_recovery_attempt
    from {{ ref('stg_lake__lead_events') }} as events
    {{ join_lead('events') }}
),

-- A contact who blocks us is taken as opted out; at the same instant the refusal comes last and stands.
consents as (
    select
        events.tenant_id,
        lead_points.lead_id,
        events.event_id,
        events.occurred_at,
        case when events.kind = 'opted_in' then 0 else 1 end as event_order,
        case when events.kind = 'opted_in' then 'opted_in' else 'opted_out' end as event_kind,
        events.contact_point_id,
        cast(null as {{ text_type() }}) as channel,
        cast(null as {{ text_type() }}) as channel_account_id,
        cast(null as {{ text_type() }}) as person_id,
        cast(null as {{ text_type() }}) as tier,
        false as is_human_outbound,
        false as is_recovery_attempt
    from {{ ref('stg_lake__contact_events') }} as events
    {{ join_lead('events') }}
    where events.kind in ('opted_out', 'opted_in', 'blocked')
),

final as (
    select * from messages
    where lead_id is not null
    union all
    select * from lead_events
    where lead_id is not null
    union all
    select * from consents
    where lead_id is not null
)

select * from final
