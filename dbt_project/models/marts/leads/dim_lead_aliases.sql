-- One row per lead id that is no longer one of its own: what it was known by alone, and the lead that it is part of.
with aliases as (
    select * from {{ ref('stg_reference__lead_aliases') }}
)

select
    tenant_id,
    alias_id,
    lead_id
from aliases
