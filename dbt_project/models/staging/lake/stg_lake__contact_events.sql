-- One row per thing that became known of a contact point, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('contact_events') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,
        other_point_id,
        app_id,

        source,
        kind,
        name_enc,
        text_enc,

        received_at,
        occurred_at
    from source
)

select * from renamed
