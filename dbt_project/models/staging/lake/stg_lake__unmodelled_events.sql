-- One row per authentic event of a type that no decoder models yet, each told once.
with source as (
    {{ first_tellings('unmodelled') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,

        source,
        kind,
        fragment_enc,

        received_at,
        occurred_at
    from source
)

select * from renamed
