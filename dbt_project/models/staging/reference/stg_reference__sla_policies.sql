-- One row per service-level policy and stretch of time in which it is valid.
with source as (
    select * from {{ source('reference', 'sla_policies') }}
),

renamed as (
    select
        tenant_id,
        policy_id,
        calendar_id,

        tier,
        metric,
        is_bot_reply_counted,

        target_seconds,

        valid_from,
        valid_to
    from source
)

select * from renamed
