-- One row per tenant and local day on which payments were refunded in full, too many with those of the days before it.
with limits as (
    select * from {{ ref('token_limits') }}
    where rule = 'refund_cycling'
),

returned as (
    select
        tenant_id,
        payment_id,
        min(occurred_at) as returned_at
    from {{ ref('int_payment_changes__positioned') }}
    where refunds_tokens >= credited_tokens and credited_tokens > 0
    group by tenant_id, payment_id
),

-- The payment that is as many before this one as make the limit: within the trailing days, this one completes a cycle.
numbered as (
    select
        returned.tenant_id,
        returned.returned_at,
        {{ local_date('returned.returned_at', 'tenants.timezone') }} as local_date,
        row_number() over (partition by returned.tenant_id order by returned.returned_at, returned.payment_id) as return_no
    from returned
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on returned.tenant_id = tenants.tenant_id
),

final as (
    select
        later.tenant_id,
        later.local_date,
        max(limits.at_least) as at_least,
        max(limits.trailing_days) as trailing_days,
        min(later.returned_at) as detected_at
    from numbered as later
    inner join limits
        on {{ is_valid_at('limits', 'later.returned_at') }}
    inner join numbered as earlier
        on
            later.tenant_id = earlier.tenant_id
            and earlier.return_no = later.return_no - limits.at_least + 1
            and {{ microseconds('later.returned_at') }} - {{ microseconds('earlier.returned_at') }} <= limits.trailing_days * 86400000000
    group by later.tenant_id, later.local_date
)

select * from final
