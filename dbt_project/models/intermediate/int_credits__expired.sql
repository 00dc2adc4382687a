-- One row per credit whose time has ended, with what expired of it. Spent is what expires first: all uses before the end of a credit count
-- against all that ends with it or before, so what had to expire by then is the most, over these ends, that was left over of it.
with lots as (
    select *
    from {{ ref('int_payments__credited') }}
    where credited_tokens is not null and expires_at <= {{ as_of() }}
),

last_changes as (
    select
        tenant_id,
        payment_id,
        refunds_tokens + losses_tokens + disputes_tokens as returned_tokens,
        row_number() over (partition by tenant_id, payment_id order by change_no desc) as reverse_no
    from {{ ref('int_payment_changes__positioned') }}
    where not is_after_end
),

moments as (
    select
        lots.tenant_id,
        lots.payment_id,
        lots.credit_no,
        lots.credited_tokens - coalesce(last_changes.returned_tokens, 0) as kept_tokens,
        0 as used_tokens,
        lots.expires_at as happened_at
    from lots
    left join last_changes
        on
            lots.tenant_id = last_changes.tenant_id
            and lots.payment_id = last_changes.payment_id
            and last_changes.reverse_no = 1
    union all
    -- a use at the very end comes too late: its rank is behind that of every credit
    select tenant_id, cast(null as {{ text_type() }}), 9223372036854775807, 0, debited_tokens, occurred_at
    from {{ ref('int_token_usages__rated') }}
    where debited_tokens > 0 and tenant_id in (select lots.tenant_id from lots)
),

summed as (
    select
        *,
        sum(kept_tokens) over so_far - sum(used_tokens) over so_far as left_tokens
    from moments
    window so_far as (
        partition by tenant_id
        order by happened_at, credit_no
        rows between unbounded preceding and current row
    )
),

highest as (
    select
        *,
        greatest(
            max(left_tokens) over (partition by tenant_id order by credit_no rows between unbounded preceding and current row), 0
        ) as expired_so_far
    from summed
    where payment_id is not null
),

expired as (
    select
        tenant_id,
        payment_id,
        cast(expired_so_far - lag(expired_so_far, 1, 0) over (partition by tenant_id order by credit_no) as bigint) as expired_tokens
    from highest
),

final as (
    select
        lots.tenant_id,
        lots.payment_id,
        lots.event_id,
        expired.expired_tokens,
        lots.expires_at,
        lots.rate_valid_from
    from lots
    inner join expired
        on
            lots.tenant_id = expired.tenant_id
            and lots.payment_id = expired.payment_id
)

select * from final
