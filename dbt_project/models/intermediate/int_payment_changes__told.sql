-- One row per change of a captured payment: a refund, or the hold, release or loss of a dispute. Amounts in the payment's minor unit.
with payments as (
    select * from {{ ref('stg_lake__payments') }}
),

-- A refund that was read from the provider's list counts only where no event told of it.
refunds as (
    select
        tenant_id,
        payment_id,
        event_id,
        'refund' as change_kind,
        coalesce(refund_id, event_id) as change_id,
        currency,
        amount_minor as refunded_minor,
        0 as held_minor,
        0 as lost_minor,
        occurred_at,
        row_number() over (
            partition by tenant_id, coalesce(refund_id, event_id)
            order by case when kind = 'refund.processed' then 0 else 1 end, occurred_at, event_id
        ) as telling_no
    from payments
    where kind in ('refund.processed', 'refund.listed.processed')
),

dispute_events as (
    select
        tenant_id,
        payment_id,
        event_id,
        kind = 'payment.dispute.created' as is_opening,
        kind = 'payment.dispute.lost' as is_loss,
        coalesce(dispute_id, payment_id, event_id) as dispute_id,
        currency,
        amount_minor,
        occurred_at,
        row_number() over (
            partition by
                tenant_id,
                coalesce(dispute_id, payment_id, event_id),
                case when kind = 'payment.dispute.created' then 0 else 1 end
            order by occurred_at, kind, event_id
        ) as telling_no
    from payments
    where kind in ('payment.dispute.created', 'payment.dispute.won', 'payment.dispute.lost')
),

openings as (
    select * from dispute_events
    where is_opening and telling_no = 1
),

-- The first verdict stands.
verdicts as (
    select * from dispute_events
    where not is_opening and telling_no = 1
),

-- A hold never comes after its verdict, whatever the clocks say.
holds as (
    select
        openings.tenant_id,
        openings.payment_id,
        openings.event_id,
        'dispute_hold' as change_kind,
        openings.dispute_id as change_id,
        openings.currency,
        0 as refunded_minor,
        openings.amount_minor as held_minor,
        0 as lost_minor,
        case when verdicts.occurred_at < openings.occurred_at then verdicts.occurred_at else openings.occurred_at end as occurred_at
    from openings
    left join verdicts
        on
            openings.tenant_id = verdicts.tenant_id
            and openings.dispute_id = verdicts.dispute_id
),

ends as (
    select
        verdicts.tenant_id,
        verdicts.payment_id,
        verdicts.event_id,
        case when verdicts.is_loss then 'dispute_loss' else 'dispute_release' end as change_kind,
        verdicts.dispute_id as change_id,
        verdicts.currency,
        0 as refunded_minor,
        -coalesce(openings.amount_minor, 0) as held_minor,
        case when verdicts.is_loss then coalesce(openings.amount_minor, verdicts.amount_minor) else 0 end as lost_minor,
        verdicts.occurred_at
    from verdicts
    left join openings
        on
            verdicts.tenant_id = openings.tenant_id
            and verdicts.dispute_id = openings.dispute_id
),

final as (
    select
        tenant_id, payment_id, event_id, change_kind, change_id, 1 as change_order, currency, refunded_minor, held_minor, lost_minor,
        occurred_at
    from refunds
    where telling_no = 1
    union all
    select
        tenant_id, payment_id, event_id, change_kind, change_id, 2 as change_order, currency, refunded_minor, held_minor, lost_minor,
        occurred_at
    from holds
    union all
    select
        tenant_id, payment_id, event_id, change_kind, change_id, 3 as change_order, currency, refunded_minor, held_minor, lost_minor,
        occurred_at
    from ends
)

select * from final
