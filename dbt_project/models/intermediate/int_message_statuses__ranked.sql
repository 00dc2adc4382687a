-- One row per message of which a vendor reported a status: the highest by rank, whatever the order of arrival.
with statuses as (
    select
        *,
        -- Read proves delivery, so it beats a failure; a failure is final over delivered and sent. Others tell nothing of delivery.
        case
            when status in ('read', 'played') then 4
            when status = 'failed' then 3
            when status = 'delivered' then 2
            when status = 'sent' then 1
            else 0
        end as status_rank
    from {{ ref('stg_lake__message_statuses') }}
),

ordered as (
    select
        *,
        row_number() over (
            partition by tenant_id, message_id
            order by case when pricing_category is null then 1 else 0 end, occurred_at, event_id
        ) as pricing_no
    from statuses
),

final as (
    select
        tenant_id,
        message_id,
        max(status_rank) as status_rank,
        max(case when pricing_no = 1 then pricing_category end) as category,
        max(case when error_code = 131047 then 1 else 0 end) as has_window_error,
        min(case when error_code = 131047 then event_id end) as window_error_event_id
    from ordered
    group by tenant_id, message_id
)

select * from final
