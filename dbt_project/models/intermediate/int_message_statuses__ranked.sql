-- One row per message of which a vendor reported a status: the highest by rank, whatever the order of arrival.
{{ config(materialized='incremental', meta={'scope': 'message'}) }}
with watermarks as (
    -- Messenger names no messages when they are read: all of ours to this contact up to a moment are meant.
    select
        tenant_id,
        account_id,
        contact_point_id,
        status,
        max(watermark_at) as watermark_at
    from {{ ref('stg_lake__message_statuses') }}
    where message_id is null and watermark_at is not null
    group by tenant_id, account_id, contact_point_id, status
),

told as (
    select
        tenant_id,
        message_id,
        event_id,
        status,
        pricing_type,
        pricing_category,
        error_code,
        occurred_at
    from {{ ref('stg_lake__message_statuses') }}
    where message_id is not null
    union all
    select
        messages.tenant_id,
        messages.message_id,
        messages.event_id,
        watermarks.status,
        cast(null as {{ text_type() }}) as pricing_type,
        cast(null as {{ text_type() }}) as pricing_category,
        cast(null as bigint) as error_code,
        watermarks.watermark_at as occurred_at
    from watermarks
    inner join {{ ref('stg_lake__messages') }} as messages
        on
            watermarks.tenant_id = messages.tenant_id
            and watermarks.account_id = messages.channel_account_id
            and watermarks.contact_point_id = messages.contact_point_id
            and watermarks.watermark_at >= messages.occurred_at
    where messages.direction = 'outbound'
),

statuses as (
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
    from told
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
        max(case when pricing_no = 1 then pricing_type end) as pricing_type,
        max(case when pricing_no = 1 then pricing_category end) as category,
        max(case when error_code = 131047 then 1 else 0 end) as has_window_error,
        min(case when error_code = 131047 then event_id end) as window_error_event_id
    from ordered
    group by tenant_id, message_id
)

select * from final
