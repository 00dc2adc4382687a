-- One row per payment that was captured, whichever and however many of the provider's events told it, with the credit it earns.
-- A state that was read from the provider's list counts only where no event told of the payment: it does not know when it was captured.
with tellings as (
    select
        *,
        coalesce(captured_at, occurred_at) as credited_at,
        case when kind in ('payment.listed.captured', 'payment.listed.refunded') then 1 else 0 end as is_listed
    from {{ ref('stg_lake__payments') }}
    where
        kind in (
            'payment.captured', 'order.paid', 'payment_link.paid', 'invoice.paid', 'payment.listed.captured', 'payment.listed.refunded'
        )
        and payment_id is not null
),

ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, payment_id
            order by is_listed, case when kind = 'payment.captured' then 0 else 1 end, kind, occurred_at, event_id
        ) as telling_no
    from tellings
),

-- When and how much: what the capture says, if it was told; else the earliest of the others, which all follow the capture.
payments as (
    select
        tenant_id,
        payment_id,
        coalesce(
            min(case when kind = 'payment.captured' then credited_at end),
            min(case when is_listed = 0 then credited_at end),
            min(credited_at)
        ) as credited_at,
        max(case when telling_no = 1 then event_id end) as event_id,
        max(case when telling_no = 1 then amount_minor end) as amount_minor,
        max(case when telling_no = 1 then currency end) as currency,
        coalesce(max(case when telling_no = 1 then fee_minor end), max(fee_minor)) as fee_minor,
        coalesce(max(case when telling_no = 1 then tax_minor end), max(tax_minor)) as tax_minor
    from ranked
    group by tenant_id, payment_id
),

rated as (
    select
        payments.tenant_id,
        payments.payment_id,
        payments.event_id,

        payments.currency,

        payments.amount_minor,
        payments.fee_minor,
        payments.tax_minor,
        {{ whole_division('payments.amount_minor * rates.tokens_per_major', 100) }} as credited_tokens,

        payments.credited_at,
        case
            when rates.expires_after_days is not null
                then greatest(
                    {{ microseconds('payments.credited_at') }} + rates.expires_after_days * 86400000000,
                    coalesce({{ microseconds('rates.expires_not_before') }}, 0)
                )
        end as own_end,
        rates.valid_from as rate_valid_from
    from payments
    left join {{ source('reference', 'credit_rates') }} as rates
        on
            payments.tenant_id = rates.tenant_id
            and payments.currency = rates.currency
            and {{ is_valid_at('rates', 'payments.credited_at') }}
),

-- A credit never ends before one that was bought earlier, so the first to expire is the first bought.
ordered as (
    select
        *,
        max(own_end) over so_far as latest_end,
        max(case when credited_tokens is not null and own_end is null then 1 else 0 end) over so_far as is_endless,
        row_number() over (partition by tenant_id order by credited_at, payment_id) as credit_no
    from rated
    window so_far as (
        partition by tenant_id
        order by credited_at, payment_id
        rows between unbounded preceding and current row
    )
),

final as (
    select
        tenant_id,
        payment_id,
        event_id,

        currency,

        amount_minor,
        fee_minor,
        tax_minor,
        credited_tokens,
        credit_no,

        credited_at,
        case when credited_tokens is not null and is_endless = 0 then {{ from_microseconds('latest_end') }} end as expires_at,
        rate_valid_from
    from ordered
)

select * from final
