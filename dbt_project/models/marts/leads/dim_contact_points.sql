-- One row per contact point and stretch of time in which one lead holds it.
{{ config(meta={'scope': 'lead'}) }}
with points as (
    select * from {{ ref('stg_reference__lead_points') }}
)

select
    tenant_id,
    contact_point_id,
    lead_id,

    kind,

    valid_from as valid_from_at,
    valid_to as valid_to_at
from points
