-- One row per request of a person about their own data, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('privacy_requests') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,

        source,
        kind,

        received_at,
        occurred_at
    from source
)

select * from renamed
