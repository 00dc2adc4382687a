-- One row per lead id that stands for another one.
with source as (
    select * from {{ source('reference', 'lead_aliases') }}
),

renamed as (
    select
        tenant_id,
        alias_id,
        lead_id
    from source
)

select * from renamed
