-- One row per action of which something tells that it was sent, or that the vendor failed to: our own receipts and the vendor's statuses.
-- This settles what nobody knew. Read proves delivery, so it beats a failure; a failure beats what came before it.
with told as (
    select
        tenant_id,
        action_id,
        'accepted' as status,
        occurred_at
    from {{ ref('int_messages__identified') }}
    where action_id is not null and direction = 'outbound'
    union all
    select
        tenant_id,
        action_id,
        status,
        occurred_at
    from {{ ref('int_action_statuses__told') }}
),

ranked as (
    select
        tenant_id,
        action_id,
        max(
            case
                when status in ('read', 'played') then 4
                when status = 'failed' then 3
                when status = 'delivered' then 2
                when status = 'sent' then 1
                else 0
            end
        ) as status_rank,
        min(occurred_at) as told_at
    from told
    group by tenant_id, action_id
),

final as (
    select
        tenant_id,
        action_id,

        case status_rank
            when 4 then 'read'
            when 3 then 'failed'
            when 2 then 'delivered'
            when 1 then 'sent'
            else 'accepted'
        end as status,

        told_at
    from ranked
)

select
    tenant_id,
    action_id,
    status,
    told_at
from final
