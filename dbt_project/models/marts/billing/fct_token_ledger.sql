-- One row per entry of a token transaction; the entries of a transaction sum to zero.
-- Of uses, by far the most, only those that were touched are made anew; the rest follows from whole wallets.
{{ config(materialized='incremental', meta={'scope': 'event', 'always': "kind <> 'usage'"}) }}
with credits as (
    select
        tenant_id,
        {{ key_of(['tenant_id', "'credit'", 'payment_id']) }} as transaction_id,
        'credit' as kind,
        payment_id,
        event_id,
        credited_tokens as tokens,
        credited_at as occurred_at,
        rate_valid_from
    from {{ ref('int_payments__credited') }}
    where credited_tokens is not null
),

usages as (
    select
        tenant_id,
        {{ key_of(['tenant_id', "'usage'", 'event_id']) }} as transaction_id,
        'usage' as kind,
        cast(null as {{ text_type() }}) as payment_id,
        event_id,
        debited_tokens as tokens,
        occurred_at,
        rate_valid_from
    from {{ ref('int_token_usages__rated') }}
    where debited_tokens is not null
),

positions as (
    select
        tenant_id,
        {{ key_of(['tenant_id', 'change_kind', 'change_id']) }} as transaction_id,
        change_kind as kind,
        payment_id,
        event_id,
        -- what comes back or goes after a credit's end moves what has expired: the wallet holds nothing of it any more
        case when is_after_end then 'expired' else 'wallet' end as counter_account,
        occurred_at,
        rate_valid_from,
        refunds_tokens - coalesce(lag(refunds_tokens) over in_time, 0) as refunds_change,
        losses_tokens - coalesce(lag(losses_tokens) over in_time, 0) as losses_change,
        disputes_tokens - coalesce(lag(disputes_tokens) over in_time, 0) as disputes_change
    from {{ ref('int_payment_changes__positioned') }}
    window in_time as (partition by tenant_id, payment_id order by change_no)
),

expiries as (
    select
        tenant_id,
        {{ key_of(['tenant_id', "'expiry'", 'payment_id']) }} as transaction_id,
        'expiry' as kind,
        payment_id,
        event_id,
        expired_tokens as tokens,
        expires_at as occurred_at,
        rate_valid_from
    from {{ ref('int_credits__expired') }}
    where expired_tokens > 0
),

entries as (
    select tenant_id, transaction_id, 1 as entry_no, 'wallet' as account, kind, payment_id, event_id, tokens, occurred_at, rate_valid_from
    from credits
    union all
    select tenant_id, transaction_id, 2, 'sales', kind, payment_id, event_id, -tokens, occurred_at, rate_valid_from
    from credits
    union all
    select tenant_id, transaction_id, 1, 'wallet', kind, payment_id, event_id, -tokens, occurred_at, rate_valid_from
    from usages
    union all
    select tenant_id, transaction_id, 2, 'usage', kind, payment_id, event_id, tokens, occurred_at, rate_valid_from
    from usages
    union all
    select tenant_id, transaction_id, 1, 'wallet', kind, payment_id, event_id, -tokens, occurred_at, rate_valid_from
    from expiries
    union all
    select tenant_id, transaction_id, 2, 'expired', kind, payment_id, event_id, tokens, occurred_at, rate_valid_from
    from expiries
    union all
    select
        tenant_id, transaction_id, 1, counter_account, kind, payment_id, event_id,
        -refunds_change - losses_change - disputes_change, occurred_at, rate_valid_from
    from positions
    where refunds_change + losses_change + disputes_change <> 0
    union all
    select tenant_id, transaction_id, 2, 'refunds', kind, payment_id, event_id, refunds_change, occurred_at, rate_valid_from
    from positions
    where refunds_change <> 0
    union all
    select tenant_id, transaction_id, 3, 'disputes', kind, payment_id, event_id, disputes_change, occurred_at, rate_valid_from
    from positions
    where disputes_change <> 0
    union all
    select tenant_id, transaction_id, 4, 'losses', kind, payment_id, event_id, losses_change, occurred_at, rate_valid_from
    from positions
    where losses_change <> 0
)

select
    tenant_id,
    transaction_id,
    cast(entry_no as bigint) as entry_no,
    payment_id,
    event_id,

    account,
    kind,

    cast(tokens as bigint) as amount_tokens,

    occurred_at,
    rate_valid_from
from entries
