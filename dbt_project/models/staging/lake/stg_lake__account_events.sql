-- One row per thing that a vendor said of our own account, number or template, each told once.
with source as (
    {{ first_tellings('account_events') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,

        source,
        kind,
        subject,
        state,
        template_name,

        received_at,
        occurred_at,
        expires_at
    from source
)

select * from renamed
