-- One row per inbound message that begins a wait of the lead: the first of its conversation, or the first since our last answer in it.
-- An answer is written by the assistant or a person; automation ends no wait.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select
        *,
        direction = 'outbound' and author_type in ('ai', 'human') as is_answer
    from {{ ref('int_messages__threaded') }}
    where conversation_id is not null
),

looked as (
    select
        *,
        sum(case when is_answer then 1 else 0 end) over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_order, event_id
            rows between unbounded preceding and current row
        ) as answer_count,
        min(case when is_answer then occurred_at end) over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_order, event_id
            rows between current row and unbounded following
        ) as answered_at
    from messages
),

numbered as (
    select
        *,
        row_number() over (
            partition by tenant_id, conversation_id, answer_count
            order by occurred_at, event_order, event_id
        ) as inbound_no
    from looked
    where direction = 'inbound'
),

final as (
    select
        tenant_id,
        event_id,
        conversation_id,
        contact_point_id,

        row_number() over (
            partition by tenant_id, conversation_id
            order by occurred_at, event_order, event_id
        ) as wait_no,
        {{ seconds_between('occurred_at', 'answered_at') }} as response_seconds,

        occurred_at as begun_at,
        answered_at
    from numbered
    where inbound_no = 1
)

select * from final
