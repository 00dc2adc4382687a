-- One row per delivery status that a vendor reported, each told once.
{{ config(meta={'scope': 'message'}) }}
with source as (
    {{ first_tellings('message_statuses') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        message_id,
        contact_point_id,
        action_id,

        source,
        status,
        pricing_type,
        pricing_category,

        error_code,

        received_at,
        occurred_at,
        watermark_at
    from source
)

select * from renamed
