-- One row per message of ours of a tenant with prices for its channel, with its cost by the most specific price valid when it was sent;
-- null where there is none. What failed, and what the vendor says is free, costs nothing.
{{ config(materialized='incremental', meta={'scope': 'message'}) }}
with listed as (
    select distinct
        tenant_id,
        channel
    from {{ source('reference', 'message_prices') }}
),

candidates as (
    select
        messages.tenant_id,
        messages.event_id,
        messages.message_id,
        statuses.status_rank,
        statuses.pricing_type,
        prices.price_minor,
        prices.per_messages,
        messages.occurred_at,
        row_number() over (
            partition by messages.tenant_id, messages.event_id
            order by case when prices.category <> '' then 0 else 1 end, prices.valid_from desc
        ) as choice_no
    from {{ ref('int_messages__identified') }} as messages
    inner join listed
        on
            messages.tenant_id = listed.tenant_id
            and messages.channel = listed.channel
    left join {{ ref('int_message_statuses__ranked') }} as statuses
        on
            messages.tenant_id = statuses.tenant_id
            and messages.message_id = statuses.message_id
    left join {{ source('reference', 'message_prices') }} as prices
        on
            messages.tenant_id = prices.tenant_id
            and messages.channel = prices.channel
            and (prices.category = '' or statuses.category = prices.category)
            and {{ is_valid_at('prices', 'messages.occurred_at') }}
    where messages.direction = 'outbound'
),

-- Half a unit is rounded up.
final as (
    select
        tenant_id,
        event_id,
        message_id,
        case
            when status_rank = 3 or pricing_type like 'free%' then 0
            else {{ whole_division('2 * price_minor + per_messages', '2 * per_messages') }}
        end as cost_minor,
        occurred_at
    from candidates
    where choice_no = 1
)

select * from final
