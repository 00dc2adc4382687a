-- One row per thing that became known of a contact point: consent, change, link, profile name, hand-over, word in public.
{{ config(materialized='incremental', meta={'scope': 'point'}) }}
with events as (
    select
        events.tenant_id,
        events.event_id,
        lead_points.lead_id,
        events.contact_point_id,
        events.other_point_id,
        events.account_id,
        events.app_id,

        events.source,
        events.kind,

        events.occurred_at
    from {{ ref('stg_lake__contact_events') }} as events
    {{ join_lead('events') }}
)

select
    tenant_id,
    event_id,
    lead_id,
    contact_point_id,
    other_point_id,
    account_id,
    app_id,

    source,
    kind,

    occurred_at
from events
