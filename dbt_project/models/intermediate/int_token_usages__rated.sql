-- One row per metered use, with its debit by the most specific rate valid at the time; null where there is none.
{{ config(materialized='incremental', meta={'scope': 'event'}) }}
with candidates as (
    select
        usages.tenant_id,
        usages.event_id,
        usages.contact_point_id,
        usages.kind,
        usages.model,
        usages.channel,
        usages.action,
        usages.quantity,
        usages.occurred_at,
        rates.per_quantity,
        rates.tokens,
        rates.valid_from as rate_valid_from,
        row_number() over (
            partition by usages.tenant_id, usages.event_id
            order by
                case when rates.model <> '' then 0 else 1 end,
                case when rates.channel <> '' then 0 else 1 end,
                case when rates.category <> '' then 0 else 1 end,
                rates.valid_from desc
        ) as choice_no
    from {{ ref('stg_lake__token_usages') }} as usages
    left join {{ source('reference', 'debit_rates') }} as rates
        on
            usages.tenant_id = rates.tenant_id
            and usages.kind = rates.kind
            and (rates.model = '' or usages.model = rates.model)
            and (rates.channel = '' or usages.channel = rates.channel)
            and (rates.category = '' or usages.category = rates.category)
            and {{ is_valid_at('rates', 'usages.occurred_at') }}
),

final as (
    select
        tenant_id,
        event_id,
        contact_point_id,
        kind,
        model,
        channel,
        action,
        quantity,
        {{ whole_division('quantity * tokens + per_quantity - 1', 'per_quantity') }} as debited_tokens,
        occurred_at,
        rate_valid_from
    from candidates
    where choice_no = 1
)

select * from final
