-- One row per thing that the payment provider said, each told once.
with source as (
    {{ first_tellings('payments') }}
),

renamed as (
    select
        tenant_id,
        account_id,
        event_id,
        subject_id,
        payment_id,
        order_id,
        refund_id,
        dispute_id,
        contact_point_id,

        source,
        kind,
        currency,

        amount_minor,
        fee_minor,
        tax_minor,

        received_at,
        occurred_at,
        captured_at
    from source
)

select * from renamed
