-- One row per metered use of something that costs tokens, each told once.
{{ config(meta={'scope': 'event'}) }}
with source as (
    {{ first_tellings('token_usage') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,

        source,
        kind,
        model,
        channel,
        category,
        action,

        quantity,

        received_at,
        occurred_at
    from source
)

select * from renamed
