-- One row per lead that asked to be erased, by whichever way, and was not denied it.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with requests as (
    select
        told.tenant_id,
        told.contact_point_id,
        told.occurred_at
    from {{ ref('stg_lake__privacy_requests') }} as told
    left join {{ ref('stg_reference__erasures') }} as noted
        on
            told.tenant_id = noted.tenant_id
            and told.contact_point_id = noted.contact_point_id
            and told.event_id = noted.event_id
    where told.kind = 'erasure' and noted.denied_at is null

    union all

    select
        tenant_id,
        contact_point_id,
        asked_at as occurred_at
    from {{ ref('stg_reference__erasures') }}
    where denied_at is null
)

select
    requests.tenant_id,
    lead_points.lead_id,

    min(requests.occurred_at) as asked_at
from requests
{{ join_lead('requests') }}
where lead_points.lead_id is not null
group by requests.tenant_id, lead_points.lead_id
