-- One row per link that makes two holders of contact points one lead, kind and source of its evidence.
with links as (
    select * from {{ ref('stg_reference__lead_links') }}
)

select
    tenant_id,
    link_id,
    lead_id,
    one_lead_id,
    other_lead_id,

    kind,
    source,
    strength,

    evidence_count,

    first_at,
    last_at
from links
