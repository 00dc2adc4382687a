-- One row per link between holders of contact points, kind and source of its evidence.
with source as (
    select * from {{ source('reference', 'lead_links') }}
),

renamed as (
    select
        tenant_id,
        link_id,
        lead_id,
        one_id as one_lead_id,
        other_id as other_lead_id,

        kind,
        source,
        strength,

        evidence_count,

        first_at,
        last_at
    from source
)

select * from renamed
