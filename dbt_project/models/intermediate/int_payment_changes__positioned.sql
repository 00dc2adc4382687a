-- One row per change of a credited payment, with where the payment's tokens lie after it: they never sum to anything but the credit.
with changes as (
    select
        changes.tenant_id,
        changes.payment_id,
        changes.event_id,
        changes.change_kind,
        changes.change_id,
        changes.change_order,
        changes.refunded_minor,
        changes.held_minor,
        changes.lost_minor,
        payments.amount_minor,
        payments.credited_tokens,
        payments.expires_at,
        payments.rate_valid_from,
        case when changes.occurred_at < payments.credited_at then payments.credited_at else changes.occurred_at end as occurred_at
    from {{ ref('int_payment_changes__told') }} as changes
    inner join {{ ref('int_payments__credited') }} as payments
        on
            changes.tenant_id = payments.tenant_id
            and changes.payment_id = payments.payment_id
    where payments.credited_tokens is not null and payments.amount_minor > 0
),

summed as (
    select
        *,
        row_number() over in_time as change_no,
        least(sum(refunded_minor) over so_far, amount_minor) as total_refunded_minor,
        least(sum(lost_minor) over so_far, amount_minor) as total_lost_minor,
        greatest(least(sum(held_minor) over so_far, amount_minor), 0) as total_held_minor
    from changes
    window
        in_time as (partition by tenant_id, payment_id order by occurred_at, change_order, change_id),
        so_far as (
            partition by tenant_id, payment_id
            order by occurred_at, change_order, change_id
            rows between unbounded preceding and current row
        )
),

-- Each total is floored once, so that a full refund in any number of parts takes exactly the credit.
wanted as (
    select
        *,
        {{ whole_division('credited_tokens * cast(total_refunded_minor as bigint)', 'amount_minor') }} as refunds_tokens,
        {{ whole_division('credited_tokens * cast(total_lost_minor as bigint)', 'amount_minor') }} as wanted_losses_tokens,
        {{ whole_division('credited_tokens * cast(total_held_minor as bigint)', 'amount_minor') }} as wanted_disputes_tokens
    from summed
),

-- What is refunded cannot be lost, and what is refunded or lost cannot be held.
limited as (
    select
        *,
        least(wanted_losses_tokens, credited_tokens - refunds_tokens) as losses_tokens
    from wanted
),

final as (
    select
        tenant_id,
        payment_id,
        event_id,
        change_kind,
        change_id,
        change_no,
        credited_tokens,
        refunds_tokens,
        losses_tokens,
        least(wanted_disputes_tokens, credited_tokens - refunds_tokens - losses_tokens) as disputes_tokens,
        coalesce(occurred_at >= expires_at, false) as is_after_end,
        occurred_at,
        rate_valid_from
    from limited
)

select * from final
