-- One row per thing that a vendor said of our own account: bans, quality, templates, flows, subscriptions, places in a mailbox's history.
with events as (
    select * from {{ ref('stg_lake__account_events') }}
)

select
    tenant_id,
    event_id,
    account_id,
    subject,

    source,
    kind,
    state,

    occurred_at,
    expires_at
from events
