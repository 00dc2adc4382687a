-- One row per tenant and stretch of time in which its limits are valid.
with source as (
    select * from {{ source('reference', 'policies') }}
),

renamed as (
    select
        tenant_id,
        calendar_id,

        recovery_template,

        conversation_gap_seconds,
        no_reply_business_seconds,
        hot_unassigned_seconds,
        assigned_idle_business_seconds,
        next_step_seconds,
        window_closing_seconds,
        no_show_seconds,
        max_ai_turns,
        low_confidence,
        recovery_expires_seconds,

        valid_from,
        valid_to
    from source
)

select * from renamed
