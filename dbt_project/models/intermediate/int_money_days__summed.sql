-- One row per tenant, currency and local day on which the payment provider's account of it moved. Minor units.
with payments as (
    select * from {{ ref('stg_lake__payments') }}
),

changes as (
    select * from {{ ref('int_payment_changes__told') }}
),

-- Told by an event or read from a list: each settlement and each transfer once.
others as (
    select
        *,
        row_number() over (
            partition by tenant_id, coalesce(subject_id, event_id), case when kind = 'transfer.processed' then 0 else 1 end
            order by case when kind = 'settlement.listed.processed' then 1 else 0 end, occurred_at, event_id
        ) as telling_no
    from payments
    where kind in ('settlement.processed', 'settlement.listed.processed', 'transfer.processed')
),

moves as (
    select
        tenant_id,
        currency,
        'payment' as kind,
        amount_minor,
        coalesce(fee_minor, 0) as fee_minor,
        coalesce(tax_minor, 0) as tax_minor,
        case when fee_minor is null then 1 else 0 end as is_without_fee,
        credited_at as occurred_at
    from {{ ref('int_payments__credited') }}
    union all
    select tenant_id, currency, 'refund', refunded_minor, 0, 0, 0, occurred_at
    from changes
    where refunded_minor <> 0
    union all
    select tenant_id, currency, 'dispute', lost_minor, 0, 0, 0, occurred_at
    from changes
    where lost_minor <> 0
    union all
    select
        tenant_id, currency, case when kind = 'transfer.processed' then 'transfer' else 'settlement' end, amount_minor,
        coalesce(fee_minor, 0), coalesce(tax_minor, 0), 0, occurred_at
    from others
    where telling_no = 1
),

final as (
    select
        moves.tenant_id,
        moves.currency,
        {{ local_date('moves.occurred_at', 'tenants.timezone') }} as local_date,
        {% for kind in ['payment', 'refund', 'dispute', 'transfer', 'settlement'] -%}
            cast(sum(case when moves.kind = '{{ kind }}' then moves.amount_minor else 0 end) as bigint) as {{ kind }}s_minor,
        {% endfor -%}
        cast(sum(case when moves.kind = 'payment' then moves.fee_minor else 0 end) as bigint) as fees_minor,
        cast(sum(case when moves.kind = 'payment' then moves.tax_minor else 0 end) as bigint) as taxes_minor,
        cast(sum(case when moves.kind = 'settlement' then moves.fee_minor else 0 end) as bigint) as settled_fees_minor,
        cast(sum(moves.is_without_fee) as bigint) as payments_without_fee_count
    from moves
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on moves.tenant_id = tenants.tenant_id
    group by moves.tenant_id, moves.currency, {{ local_date('moves.occurred_at', 'tenants.timezone') }}
)

select * from final
