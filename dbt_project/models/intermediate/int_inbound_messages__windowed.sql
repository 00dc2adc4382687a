-- One row per inbound message and kind of messaging window: the window that it opens or extends.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with inbound as (
    select
        messages.tenant_id,
        messages.event_id,
        messages.lead_id,
        messages.contact_point_id,
        messages.channel,
        messages.channel_account_id,
        messages.occurred_at,
        windows.kind,
        windows.is_human_only,
        {{ add_seconds('messages.occurred_at', 'windows.seconds') }} as own_expires_at
    from {{ ref('int_messages__identified') }} as messages
    inner join {{ ref('messaging_windows') }} as windows
        on
            messages.channel = windows.channel
            and {{ is_valid_at('windows', 'messages.occurred_at') }}
    left join {{ ref('silent_message_types') }} as silences
        on
            messages.channel = silences.channel
            and messages.message_type = silences.message_type
            and {{ is_valid_at('silences', 'messages.occurred_at') }}
    where messages.direction = 'inbound' and silences.channel is null
),

extended as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind
            order by occurred_at, event_id
        ) as inbound_no,
        max(own_expires_at) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as expires_at
    from inbound
),

compared as (
    select
        *,
        lag(expires_at) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind
            order by inbound_no
        ) as previous_expires_at,
        lead(occurred_at) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind
            order by inbound_no
        ) as next_inbound_at
    from extended
),

-- Half-open: an inbound message exactly at the expiry opens a new window.
numbered as (
    select
        *,
        sum(case when previous_expires_at > occurred_at then 0 else 1 end) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind
            order by inbound_no
            rows between unbounded preceding and current row
        ) as window_no
    from compared
),

opened as (
    select
        *,
        first_value(event_id) over (
            partition by tenant_id, lead_id, contact_point_id, channel, channel_account_id, kind, window_no
            order by inbound_no
            rows between unbounded preceding and unbounded following
        ) as first_event_id
    from numbered
),

final as (
    select
        tenant_id,
        event_id,
        {{ key_of(['tenant_id', 'contact_point_id', 'channel_account_id', 'kind', 'first_event_id']) }} as window_id,
        lead_id,
        contact_point_id,
        channel_account_id,

        channel,
        kind,
        is_human_only,

        occurred_at,
        next_inbound_at,
        expires_at
    from opened
)

select * from final
