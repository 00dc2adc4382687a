-- One row per thing that a person or a rule did with a lead, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('lead_events') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,
        person_id,

        source,
        kind,
        channel,
        tier,
        currency,

        value_minor,

        received_at,
        occurred_at
    from source
)

select * from renamed
