-- One row per tenant and local day on which its wallet changed; the latest is the current balance.
with entries as (
    select
        *,
        row_number() over (partition by tenant_id, local_date order by entry_order desc) as reverse_no
    from {{ ref('int_wallet_entries__balanced') }}
),

days as (
    select
        tenant_id,
        local_date,
        max(case when reverse_no = 1 then balance_tokens end) as balance_tokens,
        max(case when reverse_no = 1 then top_up_tokens end) as last_top_up_tokens,
        sum(case when amount_tokens > 0 then amount_tokens else 0 end) as credited_tokens,
        sum(case when amount_tokens < 0 then -amount_tokens else 0 end) as debited_tokens
    from entries
    group by tenant_id, local_date
)

select
    tenant_id,
    local_date as balance_date,

    lead(local_date) over (partition by tenant_id order by local_date) is null as is_current,

    balance_tokens,
    last_top_up_tokens,
    cast(credited_tokens as bigint) as credited_tokens,
    cast(debited_tokens as bigint) as debited_tokens
from days
