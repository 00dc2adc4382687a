-- One row per tenant and local day from its first wallet entry to as_of, also where nothing changed.
with tenants as (
    select * from {{ ref('stg_reference__tenants') }}
),

entries as (
    select * from {{ ref('int_wallet_entries__balanced') }}
),

summed as (
    select
        tenant_id,
        local_date,
        max(entry_order) as last_order,
        sum(case when amount_tokens > 0 then amount_tokens else 0 end) as credited_tokens,
        sum(case when amount_tokens < 0 then -amount_tokens else 0 end) as debited_tokens,
        sum(case when kind = 'expiry' then -amount_tokens else 0 end) as expired_tokens,
        sum(case when kind = 'usage' then -amount_tokens else 0 end) as used_tokens
    from entries
    group by tenant_id, local_date
),

changed as (
    select
        summed.*,
        entries.balance_tokens,
        entries.top_up_tokens as last_top_up_tokens
    from summed
    inner join entries
        on
            summed.tenant_id = entries.tenant_id
            and summed.last_order = entries.entry_order
),

firsts as (
    select
        changed.tenant_id,
        min(changed.local_date) as first_date,
        max({{ local_date(as_of(), 'tenants.timezone') }}) as last_date
    from changed
    inner join tenants
        on changed.tenant_id = tenants.tenant_id
    group by changed.tenant_id
),

days as (
    select
        tenant_id,
        last_date,
        {{ each_date('first_date', 'last_date') }} as day_at
    from firsts
),

dated as (
    select
        tenant_id,
        last_date,
        cast(day_at as date) as local_date
    from days
),

joined as (
    select
        dated.tenant_id,
        dated.local_date,
        dated.local_date = dated.last_date as is_current,
        changed.balance_tokens,
        changed.last_top_up_tokens,
        coalesce(changed.credited_tokens, 0) as credited_tokens,
        coalesce(changed.debited_tokens, 0) as debited_tokens,
        coalesce(changed.expired_tokens, 0) as expired_tokens,
        coalesce(changed.used_tokens, 0) as used_tokens,
        row_number() over (partition by dated.tenant_id order by dated.local_date) as day_no,
        count(changed.local_date) over (partition by dated.tenant_id order by dated.local_date) as change_no
    from dated
    left join changed
        on
            dated.tenant_id = changed.tenant_id
            and dated.local_date = changed.local_date
),

final as (
    select
        tenant_id,
        local_date,
        is_current,
        day_no,
        max(balance_tokens) over (partition by tenant_id, change_no) as balance_tokens,
        max(last_top_up_tokens) over (partition by tenant_id, change_no) as last_top_up_tokens,
        cast(credited_tokens as bigint) as credited_tokens,
        cast(debited_tokens as bigint) as debited_tokens,
        cast(expired_tokens as bigint) as expired_tokens,
        cast(used_tokens as bigint) as used_tokens
    from joined
)

select * from final
