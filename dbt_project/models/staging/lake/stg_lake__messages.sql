-- One row per message between a contact and the business, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('messages') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        message_id,
        channel_account_id,
        contact_point_id,
        person_id,
        reply_to_message_id,
        referral_id,
        action_id,

        source,
        channel,
        direction,
        author_type,
        message_type,
        text_enc,
        template_name,

        received_at,
        occurred_at
    from source
)

select * from renamed
