-- One row per heartbeat, request or error of a service, each told once.
with source as (
    {{ first_tellings('service_events') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,

        source,
        kind,
        service,

        is_ok,
        latency_seconds,

        received_at,
        occurred_at
    from source
)

select * from renamed
