-- One row per tenant, top-up and local day with uses after a pause was asked for, and the time that it takes to pause, was over.
with limits as (
    select * from {{ ref('token_limits') }}
    where rule = 'usage_while_paused'
),

-- Thresholds that change between two top-ups ask twice for a pause: the first is the one that holds.
crossed as (
    select
        *,
        row_number() over (partition by tenant_id, top_up_transaction_id order by entry_order, percent) as pause_no
    from {{ ref('int_token_thresholds__crossed') }}
    where action = 'pause'
),

pauses as (
    select
        crossed.tenant_id,
        crossed.top_up_transaction_id,
        limits.at_least,
        {{ add_seconds('crossed.occurred_at', 'limits.grace_seconds') }} as paused_at
    from crossed
    inner join limits
        on {{ is_valid_at('limits', 'crossed.occurred_at') }}
    where crossed.pause_no = 1
),

uses as (
    select
        entries.tenant_id,
        entries.top_up_transaction_id,
        entries.local_date,
        entries.occurred_at,
        pauses.at_least,
        row_number() over (
            partition by entries.tenant_id, entries.top_up_transaction_id, entries.local_date
            order by entries.entry_order
        ) as use_no,
        count(*) over (partition by entries.tenant_id, entries.top_up_transaction_id, entries.local_date) as use_count
    from {{ ref('int_wallet_entries__balanced') }} as entries
    inner join pauses
        on
            entries.tenant_id = pauses.tenant_id
            and entries.top_up_transaction_id = pauses.top_up_transaction_id
            and entries.occurred_at >= pauses.paused_at
    where entries.kind = 'usage' and entries.amount_tokens < 0
),

final as (
    select
        tenant_id,
        top_up_transaction_id,
        local_date,
        max(use_count) as use_count,
        max(at_least) as at_least,
        min(occurred_at) as detected_at
    from uses
    where use_no >= at_least
    group by tenant_id, top_up_transaction_id, local_date
)

select * from final
