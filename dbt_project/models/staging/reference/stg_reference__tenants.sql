-- One row per tenant.
with source as (
    select * from {{ source('reference', 'tenants') }}
),

renamed as (
    select
        tenant_id,

        timezone,
        default_region,
        currency
    from source
)

select * from renamed
