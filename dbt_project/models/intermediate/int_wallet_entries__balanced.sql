-- One row per wallet entry, with the balance after it and the last top-up at or before it.
with entries as (
    select
        tenant_id,
        transaction_id,
        kind,
        amount_tokens,
        occurred_at
    from {{ ref('fct_token_ledger') }}
    where account = 'wallet'
),

summed as (
    select
        *,
        sum(amount_tokens) over so_far as balance_tokens,
        sum(case when kind = 'credit' then 1 else 0 end) over so_far as top_up_no,
        row_number() over (partition by tenant_id order by occurred_at, transaction_id) as entry_order
    from entries
    window so_far as (
        partition by tenant_id
        order by occurred_at, transaction_id
        rows between unbounded preceding and current row
    )
),

final as (
    select
        summed.tenant_id,
        summed.transaction_id,
        max(case when kind = 'credit' then transaction_id end) over top_up as top_up_transaction_id,
        summed.kind,

        summed.entry_order,
        summed.amount_tokens,
        cast(summed.balance_tokens as bigint) as balance_tokens,
        max(case when kind = 'credit' then amount_tokens end) over top_up as top_up_tokens,

        summed.occurred_at,
        {{ local_date('summed.occurred_at', 'tenants.timezone') }} as local_date
    from summed
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on summed.tenant_id = tenants.tenant_id
    window top_up as (partition by summed.tenant_id, summed.top_up_no)
)

select * from final
