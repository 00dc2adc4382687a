-- One row per payment, change, use or message without a rate or price, with the reason: never a silent default.
with findings as (
    select tenant_id, event_id, payment_id, 'payment_without_rate' as finding, credited_at as occurred_at
    from {{ ref('int_payments__credited') }}
    where credited_tokens is null
    union all
    select tenant_id, event_id, payment_id, 'payment_without_id', occurred_at
    from {{ ref('stg_lake__payments') }}
    where kind in ('payment.captured', 'order.paid', 'payment_link.paid', 'invoice.paid') and payment_id is null
    union all
    select tenant_id, event_id, cast(null as {{ text_type() }}), 'usage_without_rate', occurred_at
    from {{ ref('int_token_usages__rated') }}
    where debited_tokens is null
    union all
    select tenant_id, event_id, cast(null as {{ text_type() }}), 'message_without_price', occurred_at
    from {{ ref('int_messages__priced') }}
    where cost_minor is null
    union all
    select
        changes.tenant_id,
        changes.event_id,
        changes.payment_id,
        case when changes.change_kind = 'refund' then 'refund_without_credit' else 'dispute_without_credit' end,
        changes.occurred_at
    from {{ ref('int_payment_changes__told') }} as changes
    left join {{ ref('int_payments__credited') }} as payments
        on
            changes.tenant_id = payments.tenant_id
            and changes.payment_id = payments.payment_id
    where payments.credited_tokens is null
)

select
    tenant_id,
    event_id,
    payment_id,

    finding,

    occurred_at
from findings
