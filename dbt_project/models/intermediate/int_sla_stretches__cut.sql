-- One row per clock and stretch of it that counts or is paused; those of a clock touch, and the last of a running one has no end.
with clocks as (
    select * from {{ ref('int_sla_clocks__agreed') }}
    where finding is null
),

-- A resolution is paused while we wait for the lead: from a reply that counts to the lead's next message.
turns as (
    select
        clocks.tenant_id,
        clocks.clock_id,
        items.item_no,
        items.event_id,
        items.occurred_at,
        clocks.stopped_at,
        case when items.item = 'inbound' then 'counted' else 'paused' end as kind
    from clocks
    inner join {{ ref('int_thread_items__ordered') }} as items
        on
            clocks.tenant_id = items.tenant_id
            and clocks.conversation_id = items.conversation_id
    where
        clocks.metric = 'resolution'
        and (
            items.event_id = clocks.trigger_event_id
            or (
                (items.item in ('inbound', 'human') or (items.item = 'ai' and clocks.is_bot_reply_counted))
                and (clocks.stopped_at is null or items.occurred_at < clocks.stopped_at)
            )
        )
),

compared as (
    select
        *,
        lag(kind) over (partition by tenant_id, clock_id order by item_no) as previous_kind
    from turns
),

changes as (
    select
        *,
        row_number() over (partition by tenant_id, clock_id order by item_no) as stretch_no,
        lead(occurred_at) over (partition by tenant_id, clock_id order by item_no) as next_at
    from compared
    where previous_kind is null or previous_kind <> kind
),

final as (
    select
        tenant_id,
        clock_id,
        event_id,

        kind,
        case when kind = 'paused' then 'waiting_for_lead' else 'waiting_for_us' end as reason,
        next_at is null as is_last,

        stretch_no,

        occurred_at as begins_at,
        coalesce(next_at, stopped_at) as ends_at
    from changes
    union all
    select
        tenant_id,
        clock_id,
        trigger_event_id as event_id,
        'counted' as kind,
        case when metric = 'hand_over' then 'waiting_for_person' else 'waiting_for_us' end as reason,
        true as is_last,
        1 as stretch_no,
        started_at as begins_at,
        stopped_at as ends_at
    from clocks
    where metric <> 'resolution'
)

select * from final
