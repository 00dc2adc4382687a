-- One row per exposure to an experiment, and per event that a metric of any experiment counts, with its lead and its conversation.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with metrics as (
    select tenant_id, event from {{ source('reference', 'experiment_metrics') }}
    union
    select tenant_id, denominator_event as event from {{ source('reference', 'experiment_metrics') }}
    where denominator_event is not null
),

-- What has no experiment_id is of all experiments.
told as (
    select
        tenant_id,
        event_id,
        contact_point_id,
        experiment_id,
        case when kind = 'exposed' then '@exposed' else metric end as event,
        variant,
        case when kind = 'exposed' then 0 else value end as value,
        occurred_at
    from {{ ref('stg_lake__experiment_events') }}
    union all
    select
        tenant_id,
        event_id,
        contact_point_id,
        null as experiment_id,
        '@' || kind as event,
        null as variant,
        1 as value,
        occurred_at
    from {{ ref('stg_lake__lead_events') }}
    where kind in ('won', 'lost')
    union all
    select
        tenant_id,
        event_id,
        contact_point_id,
        null as experiment_id,
        '@opted_out' as event,
        null as variant,
        1 as value,
        occurred_at
    from {{ ref('stg_lake__contact_events') }}
    where kind in ('opted_out', 'blocked')
    union all
    select
        tenant_id,
        event_id,
        contact_point_id,
        null as experiment_id,
        '@blocked' as event,
        null as variant,
        1 as value,
        occurred_at
    from {{ ref('stg_lake__contact_events') }}
    where kind = 'blocked'
    union all
    select
        tenant_id,
        event_id,
        contact_point_id,
        null as experiment_id,
        '@inbound' as event,
        null as variant,
        1 as value,
        occurred_at
    from {{ ref('stg_lake__messages') }}
    where direction = 'inbound'
    union all
    select
        tenant_id,
        event_id,
        contact_point_id,
        null as experiment_id,
        '@tokens' as event,
        null as variant,
        debited_tokens as value,
        occurred_at
    from {{ ref('int_token_usages__rated') }}
    where contact_point_id is not null and debited_tokens is not null
),

events as (
    select told.*
    from told
    left join metrics
        on
            told.tenant_id = metrics.tenant_id
            and told.event = metrics.event
    where told.event = '@exposed' or metrics.event is not null
),

-- The conversation of the same contact point that was opened last at or before the event: a running count of openings numbers it.
conversations as (
    select
        tenant_id,
        contact_point_id,
        conversation_id,
        opened_at,
        row_number() over (partition by tenant_id, contact_point_id order by opened_at, conversation_id) as conversation_no
    from {{ ref('fct_conversations') }}
),

merged as (
    select tenant_id, contact_point_id, event_id, event, occurred_at, 0 as openings from events
    union all
    select tenant_id, contact_point_id, null as event_id, null as event, opened_at as occurred_at, 1 as openings from conversations
),

counted as (
    select
        tenant_id,
        contact_point_id,
        event_id,
        event,
        sum(openings) over (
            partition by tenant_id, contact_point_id
            order by occurred_at
            range between unbounded preceding and current row
        ) as conversation_no
    from merged
),

final as (
    select
        events.tenant_id,
        events.event_id,
        events.contact_point_id,
        lead_points.lead_id,
        conversations.conversation_id,
        events.experiment_id,

        events.event,
        events.variant,
        lead_points.kind as point_kind,

        events.value,
        -- no number at all, or none that a metric can be made of
        coalesce(abs(events.value) <= 10000000000, false) as is_in_range,

        events.occurred_at
    from events
    {{ join_lead('events') }}
    left join counted
        on
            events.tenant_id = counted.tenant_id
            and events.event_id = counted.event_id
            and events.event = counted.event
    left join conversations
        on
            counted.tenant_id = conversations.tenant_id
            and counted.contact_point_id = conversations.contact_point_id
            and counted.conversation_no = conversations.conversation_no
)

select * from final
