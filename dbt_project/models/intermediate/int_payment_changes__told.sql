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
        kind = 'payment.dispute.closed' as is_closing,
        kind = 'payment.dispute.lost' as is_loss,
        coalesce(dispute_id, payment_id, event_id) as dispute_id,
        currency,
        amount_minor,
        occurred_at,
        -- Of one instant a closing comes last: it says that the dispute is over, and not how.
        case kind when 'payment.dispute.lost' then 1 when 'payment.dispute.won' then 2 when 'payment.dispute.closed' then 3 else 0 end
            as end_order
    from payments
    where kind in ('payment.dispute.created', 'payment.dispute.won', 'payment.dispute.lost', 'payment.dispute.closed')
),

openings as (
    select
        *,
        row_number() over (partition by tenant_id, dispute_id order by occurred_at, event_id) as telling_no
    from dispute_events
    where is_opening
),

-- The first end stands. A closing tells no verdict, so the first verdict stands too if it is a loss that comes after one: then the money
-- has gone although the hold was let go.
ends_told as (
    select
        *,
        row_number() over (partition by tenant_id, dispute_id order by occurred_at, end_order, event_id) as end_no,
        row_number() over (partition by tenant_id, dispute_id, is_closing order by occurred_at, end_order, event_id) as verdict_no
    from dispute_events
    where not is_opening
),

verdicts as (
    select
        *,
        end_no = 1 as is_first_end
    from ends_told
    where end_no = 1 or (is_loss and verdict_no = 1)
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
            and verdicts.is_first_end
    where openings.telling_no = 1
),

ends as (
    select
        verdicts.tenant_id,
        verdicts.payment_id,
        verdicts.event_id,
        case when verdicts.is_loss then 'dispute_loss' else 'dispute_release' end as change_kind,
        verdicts.dispute_id as change_id,
        case when verdicts.is_first_end then 3 else 4 end as change_order,
        verdicts.currency,
        0 as refunded_minor,
        case when verdicts.is_first_end then -coalesce(openings.amount_minor, 0) else 0 end as held_minor,
        case when verdicts.is_loss then coalesce(openings.amount_minor, verdicts.amount_minor) else 0 end as lost_minor,
        verdicts.occurred_at
    from verdicts
    left join openings
        on
            verdicts.tenant_id = openings.tenant_id
            and verdicts.dispute_id = openings.dispute_id
            and openings.telling_no = 1
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
        tenant_id, payment_id, event_id, change_kind, change_id, change_order, currency, refunded_minor, held_minor, lost_minor,
        occurred_at
    from ends
)

select * from final
