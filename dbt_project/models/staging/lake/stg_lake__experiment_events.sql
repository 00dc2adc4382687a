-- One row per exposure of a contact to a variant, or observed metric value, each told once.
{{ config(meta={'scope': 'point'}) }}
with source as (
    {{ first_tellings('experiment_events') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        contact_point_id,
        experiment_id,

        source,
        kind,
        variant,
        metric,

        value,

        received_at,
        occurred_at
    from source
)

select * from renamed
