-- One row per quick booking that the assistant wants offered: three free times and a link for one use, where it was talking to the lead.
with lifetimes as (
    select * from {{ ref('action_lifetimes') }}
    where rule = 'quick_booking'
),

-- Whom a person must see first is offered nothing.
turns as (
    select
        turns.*,
        lifetimes.seconds,
        {{ add_seconds('turns.occurred_at', 'lifetimes.seconds') }} as lapses_at
    from {{ ref('int_ai_turns__identified') }} as turns
    inner join lifetimes on {{ is_valid_at('lifetimes', 'turns.occurred_at') }}
    where
        turns.next_action = 'offer_booking'
        and turns.risk = 'none'
        and turns.verdict in ('continue', 'qualified')
        and turns.lead_id is not null
),

-- Asked again while the last asking stands, it is the same offer.
followed as (
    select
        *,
        lag(lapses_at) over (partition by tenant_id, lead_id order by occurred_at, event_id) as last_lapses_at
    from turns
),

offers as (
    select * from followed
    where last_lapses_at is null or last_lapses_at <= occurred_at
),

-- From the account of ours that the two were last talking by.
talks as (
    select
        offers.tenant_id,
        offers.event_id,
        messages.channel_account_id,
        row_number() over (
            partition by offers.tenant_id, offers.event_id
            order by messages.occurred_at desc, messages.event_id desc
        ) as newest_no
    from offers
    inner join {{ ref('int_messages__identified') }} as messages
        on
            offers.tenant_id = messages.tenant_id
            and offers.contact_point_id = messages.contact_point_id
            and offers.channel = messages.channel
            and offers.occurred_at >= messages.occurred_at
),

ends as (
    select tenant_id, lead_id, booked_at as ended_at
    from {{ ref('int_appointments__chained') }}
    where booked_at is not null
    union all
    select tenant_id, lead_id, occurred_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('won', 'lost')
),

settled as (
    select
        offers.tenant_id,
        offers.event_id,
        min(ends.ended_at) as settled_at
    from offers
    inner join ends
        on
            offers.tenant_id = ends.tenant_id
            and offers.lead_id = ends.lead_id
            and offers.occurred_at < ends.ended_at
    group by offers.tenant_id, offers.event_id
),

final as (
    select
        offers.tenant_id,
        'quick_booking' as rule,
        'send_booking' as kind,
        offers.channel,
        offers.lead_id,
        offers.contact_point_id as point_id,
        talks.channel_account_id as account_id,
        cast(null as {{ text_type() }}) as template_name,
        'three_slots' as subject,
        offers.event_id as trigger_id,
        {{ json_object({'wanted_at': json_text(iso_time('offers.occurred_at'))}) }} as details,
        offers.occurred_at as due_at,
        offers.lapses_at,
        settled.settled_at
    from offers
    inner join talks
        on
            offers.tenant_id = talks.tenant_id
            and offers.event_id = talks.event_id
            and talks.newest_no = 1
    left join settled
        on
            offers.tenant_id = settled.tenant_id
            and offers.event_id = settled.event_id
)

select * from final
