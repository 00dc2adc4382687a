-- One row per message to be sent later, or its cancellation, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('scheduled_messages') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        schedule_id,
        contact_point_id,

        source,
        kind,
        channel,
        template_name,
        text_enc,

        received_at,
        occurred_at,
        send_at
    from source
)

select * from renamed
