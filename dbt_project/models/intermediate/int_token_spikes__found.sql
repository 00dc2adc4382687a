-- One row per tenant and local day whose use is a spike, with the use that made it one.
with days as (
    select * from {{ ref('int_token_days__compared') }}
    where used_tokens >= spike_from_tokens
),

running as (
    select
        entries.tenant_id,
        entries.local_date,
        entries.occurred_at,
        days.used_tokens,
        days.robust_z,
        days.deviations,
        days.spike_from_tokens,
        sum(-entries.amount_tokens) over (
            partition by entries.tenant_id, entries.local_date
            order by entries.entry_order
            rows between unbounded preceding and current row
        ) as used_so_far
    from {{ ref('int_wallet_entries__balanced') }} as entries
    inner join days
        on
            entries.tenant_id = days.tenant_id
            and entries.local_date = days.local_date
    where entries.kind = 'usage'
),

final as (
    select
        tenant_id,
        local_date,
        max(robust_z) as robust_z,
        max(deviations) as deviations,
        min(occurred_at) as detected_at
    from running
    where used_so_far >= spike_from_tokens
    group by tenant_id, local_date
)

select * from final
