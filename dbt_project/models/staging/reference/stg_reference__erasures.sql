-- One row per contact point of a person who asked to be erased, and request; what is decided after as_of is not known yet.
{{ config(meta={'scope': 'point'}) }}
with source as (
    select * from {{ source('reference', 'erasures') }}
    where asked_at <= {{ as_of() }}
),

renamed as (
    select
        tenant_id,
        request_id,
        event_id,
        point_id as contact_point_id,

        asked_at,
        case when denied_at <= {{ as_of() }} then denied_at end as denied_at
    from source
)

select * from renamed
