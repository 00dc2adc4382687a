-- One row per tenant, currency and local day from the first payment to as_of: what the payment provider owes, and why, to the minor unit.
with limits as (
    select * from {{ ref('token_limits') }}
    where rule = 'settlement'
),

moved as (
    select * from {{ ref('int_money_days__summed') }}
),

firsts as (
    select
        moved.tenant_id,
        moved.currency,
        min(moved.local_date) as first_date,
        max({{ local_date(as_of(), 'tenants.timezone') }}) as last_date
    from moved
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on moved.tenant_id = tenants.tenant_id
    group by moved.tenant_id, moved.currency
),

days as (
    select
        tenant_id,
        currency,
        {{ each_date('first_date', 'last_date') }} as day_at
    from firsts
),

dated as (
    select
        tenant_id,
        currency,
        cast(day_at as date) as local_date
    from days
),

joined as (
    select
        dated.tenant_id,
        dated.currency,
        dated.local_date,
        coalesce(moved.payments_minor, 0) as payments_minor,
        coalesce(moved.fees_minor, 0) as fees_minor,
        coalesce(moved.taxes_minor, 0) as taxes_minor,
        coalesce(moved.refunds_minor, 0) as refunds_minor,
        coalesce(moved.disputes_minor, 0) as disputes_minor,
        coalesce(moved.transfers_minor, 0) as transfers_minor,
        coalesce(moved.settlements_minor, 0) as settlements_minor,
        coalesce(moved.settled_fees_minor, 0) as settled_fees_minor,
        coalesce(moved.payments_without_fee_count, 0) as payments_without_fee_count,
        row_number() over (partition by dated.tenant_id, dated.currency order by dated.local_date) as day_no
    from dated
    left join moved
        on
            dated.tenant_id = moved.tenant_id
            and dated.currency = moved.currency
            and dated.local_date = moved.local_date
),

-- Razorpay's fee holds its tax; what is left of a payment is owed, what is refunded, lost or transferred is taken off, settled is paid.
summed as (
    select
        *,
        cast(sum(payments_minor - fees_minor) over so_far as bigint) as owed_minor,
        cast(sum(refunds_minor + disputes_minor + transfers_minor) over so_far as bigint) as taken_off_minor,
        cast(sum(settlements_minor) over so_far as bigint) as settled_minor,
        cast(sum(fees_minor - settled_fees_minor) over so_far as bigint) as fee_difference_minor
    from joined
    window so_far as (
        partition by tenant_id, currency
        order by local_date
        rows between unbounded preceding and current row
    )
),

-- What was owed so many days ago should have been settled by now.
aged as (
    select
        summed.*,
        summed.owed_minor - summed.taken_off_minor - summed.settled_minor as closing_minor,
        coalesce(older.owed_minor, 0) - summed.taken_off_minor - summed.settled_minor as overdue_minor
    from summed
    left join limits
        on {{ is_valid_at('limits', 'cast(summed.local_date as ' ~ moment_type() ~ ')') }}
    left join summed as older
        on
            summed.tenant_id = older.tenant_id
            and summed.currency = older.currency
            and older.day_no = summed.day_no - limits.trailing_days
),

named as (
    select
        *,
        closing_minor + refunds_minor + disputes_minor + transfers_minor + settlements_minor + fees_minor - payments_minor as opening_minor,
        case when overdue_minor > 0 then overdue_minor else 0 end as captured_not_settled_late_minor,
        case when closing_minor > 0 then closing_minor else 0 end as unsettled_minor,
        case when settled_minor > owed_minor then settled_minor - owed_minor else 0 end as settled_without_payment_minor,
        case when closing_minor < 0 then -closing_minor else 0 end as overpaid_minor
    from aged
)

select
    tenant_id,

    currency,
    local_date as reconciled_date,

    payments_minor,
    fees_minor,
    taxes_minor,
    refunds_minor,
    disputes_minor,
    transfers_minor,
    settlements_minor,
    settled_fees_minor,
    opening_minor,
    closing_minor,
    unsettled_minor - captured_not_settled_late_minor as captured_not_settled_yet_minor,
    captured_not_settled_late_minor,
    overpaid_minor - settled_without_payment_minor as refund_not_in_settlement_minor,
    settled_without_payment_minor,
    case when unsettled_minor > 0 and fee_difference_minor > 0 then fee_difference_minor else 0 end as fees_not_settled_yet_minor,
    case when unsettled_minor > 0 and fee_difference_minor > 0 then 0 else fee_difference_minor end as fee_mismatch_minor,
    payments_without_fee_count
from named
