-- One row per top-up and threshold that the balance fell to: the first wallet entry, from that top-up to the next, at which it lies there
-- or below.
with entries as (
    select * from {{ ref('int_wallet_entries__balanced') }}
),

top_ups as (
    select
        tenant_id,
        transaction_id,
        lead(occurred_at) over (partition by tenant_id order by entry_order) as next_top_up_at
    from entries
    where kind = 'credit'
),

crossings as (
    select
        entries.tenant_id,
        entries.top_up_transaction_id,
        thresholds.percent,
        thresholds.action,
        min(entries.entry_order) as entry_order
    from entries
    inner join {{ source('reference', 'token_thresholds') }} as thresholds
        on
            entries.tenant_id = thresholds.tenant_id
            and entries.balance_tokens * 100 <= thresholds.percent * entries.top_up_tokens
            and {{ is_valid_at('thresholds', 'entries.occurred_at') }}
    group by entries.tenant_id, entries.top_up_transaction_id, thresholds.percent, thresholds.action
),

final as (
    select
        crossings.tenant_id,
        crossings.top_up_transaction_id,
        crossings.entry_order,
        entries.balance_tokens,
        entries.top_up_tokens,
        crossings.percent,
        crossings.action,
        entries.occurred_at,
        top_ups.next_top_up_at
    from crossings
    inner join entries
        on
            crossings.tenant_id = entries.tenant_id
            and crossings.entry_order = entries.entry_order
    inner join top_ups
        on
            crossings.tenant_id = top_ups.tenant_id
            and crossings.top_up_transaction_id = top_ups.transaction_id
)

select * from final
