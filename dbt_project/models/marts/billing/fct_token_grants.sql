-- One row per credited payment: where its tokens are. The wallet holds what ends last.
with last_changes as (
    select
        *,
        row_number() over (partition by tenant_id, payment_id order by change_no desc) as reverse_no
    from {{ ref('int_payment_changes__positioned') }}
    where not is_after_end
),

wallets as (
    select
        tenant_id,
        sum(amount_tokens) as balance_tokens
    from {{ ref('fct_token_ledger') }}
    where account = 'wallet'
    group by tenant_id
),

grants as (
    select
        payments.*,
        coalesce(last_changes.refunds_tokens + last_changes.losses_tokens + last_changes.disputes_tokens, 0) as returned_tokens,
        coalesce(expired.expired_tokens, 0) as expired_tokens,
        expired.payment_id is null as is_open
    from {{ ref('int_payments__credited') }} as payments
    left join last_changes
        on
            payments.tenant_id = last_changes.tenant_id
            and payments.payment_id = last_changes.payment_id
            and last_changes.reverse_no = 1
    left join {{ ref('int_credits__expired') }} as expired
        on
            payments.tenant_id = expired.tenant_id
            and payments.payment_id = expired.payment_id
    where payments.credited_tokens is not null
),

stacked as (
    select
        grants.*,
        wallets.balance_tokens,
        case when grants.is_open then grants.credited_tokens - grants.returned_tokens else 0 end as most_tokens,
        sum(case when grants.is_open then grants.credited_tokens - grants.returned_tokens else 0 end) over (
            partition by grants.tenant_id
            order by grants.credit_no desc
            rows between unbounded preceding and current row
        ) as most_from_here_tokens
    from grants
    inner join wallets
        on grants.tenant_id = wallets.tenant_id
),

final as (
    select
        *,
        cast(greatest(least(most_tokens, balance_tokens - (most_from_here_tokens - most_tokens)), 0) as bigint) as left_tokens
    from stacked
)

select
    tenant_id,
    payment_id,

    is_open,

    credited_tokens,
    returned_tokens,
    expired_tokens,
    left_tokens,
    credited_tokens - returned_tokens - expired_tokens - left_tokens as used_tokens,

    credited_at,
    expires_at
from final
