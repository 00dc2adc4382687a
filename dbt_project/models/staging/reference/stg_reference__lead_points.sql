-- One row per contact point and stretch of time in which one lead holds it; what changes after as_of is not known yet.
{{ config(meta={'scope': 'lead'}) }}
with source as (
    select * from {{ source('reference', 'lead_points') }}
    where valid_from <= {{ as_of() }}
),

renamed as (
    select
        tenant_id,
        lead_id,
        point_id as contact_point_id,

        kind,

        valid_from,
        case when valid_to <= {{ as_of() }} then valid_to end as valid_to
    from source
)

select * from renamed
