-- One row per free-form outbound message that no open window allowed, or that the provider refused for that reason (131047).
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with messages as (
    select
        messages.*,
        coalesce(statuses.has_window_error, 0) = 1 as is_reported_by_provider
    from {{ ref('int_messages__threaded') }} as messages
    left join {{ ref('int_message_statuses__ranked') }} as statuses
        on
            messages.tenant_id = statuses.tenant_id
            and messages.message_id = statuses.message_id
    where messages.direction = 'outbound'
),

-- Only channels that have windows at that time can be violated.
ruled as (
    select distinct
        messages.tenant_id,
        messages.event_id
    from messages
    inner join {{ ref('messaging_windows') }} as rules
        on
            messages.channel = rules.channel
            and {{ is_valid_at('rules', 'messages.occurred_at') }}
    where messages.template_name is null and messages.message_type <> 'template'
),

allowed as (
    select distinct
        messages.tenant_id,
        messages.event_id
    from messages
    inner join {{ ref('fct_messaging_windows') }} as windows
        on
            messages.tenant_id = windows.tenant_id
            and messages.contact_point_id = windows.contact_point_id
            and messages.channel_account_id = windows.channel_account_id
            and messages.channel = windows.channel
            and messages.occurred_at >= windows.opened_at
            and messages.occurred_at < windows.expires_at
    where messages.author_type = 'human' or not windows.is_human_only
),

judged as (
    select
        messages.tenant_id,
        messages.message_id,
        messages.lead_id,
        messages.contact_point_id,
        messages.channel_account_id,
        messages.channel,
        messages.author_type,
        messages.is_reported_by_provider,
        messages.occurred_at,
        ruled.event_id is not null and allowed.event_id is null as is_outside
    from messages
    left join ruled
        on
            messages.tenant_id = ruled.tenant_id
            and messages.event_id = ruled.event_id
    left join allowed
        on
            messages.tenant_id = allowed.tenant_id
            and messages.event_id = allowed.event_id
)

select
    tenant_id,
    message_id,
    lead_id,
    contact_point_id,
    channel_account_id,

    channel,
    author_type,
    case when is_outside then 'outside_window' else 'provider_error_131047' end as reason,
    is_reported_by_provider,

    occurred_at as violated_at
from judged
where is_outside or is_reported_by_provider
