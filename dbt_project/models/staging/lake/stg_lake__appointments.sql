-- One row per step in the life of a booking, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('appointments') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        appointment_id,
        scheduled_event_id,
        old_appointment_id,
        new_appointment_id,
        no_show_id,
        event_type_id,
        contact_point_id,
        utm_lead_id,

        source,
        kind,
        cancelled_by,
        timezone,
        reason_enc,
        answers_enc,

        received_at,
        occurred_at,
        starts_at,
        ends_at
    from source
)

select * from renamed
