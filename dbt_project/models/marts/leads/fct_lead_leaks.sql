-- One row per leak: something that a lead needed and that had not come when its limit passed.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with leaks as (
    -- What comes exactly at the limit is in time.
    select
        *,
        coalesce(expires_at <= coalesce(closing_at, expires_at) and expires_at <= {{ as_of() }}, false) as has_expired
    from {{ ref('int_lead_leaks__timed') }}
    where since_at <= {{ as_of() }} and (closing_at is null or closing_at > since_at)
)

select
    tenant_id,
    {{ key_of(['tenant_id', 'kind', 'trigger_event_id']) }} as leak_id,
    lead_id,
    trigger_event_id,

    kind,
    case when has_expired then 'window_expired' else close_reason end as close_reason,

    triggered_at,
    since_at,
    case when has_expired then expires_at else closing_at end as closed_at
from leaks
