-- One row per member of a tenant's staff and stretch of time in which the role and the calendar are valid.
with source as (
    select * from {{ source('reference', 'people') }}
),

renamed as (
    select
        tenant_id,
        person_id,
        calendar_id,

        role,

        valid_from,
        valid_to
    from source
)

select * from renamed
