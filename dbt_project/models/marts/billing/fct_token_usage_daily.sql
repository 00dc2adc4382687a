-- One row per tenant, local day, channel, model, action and kind of use; empty text where the use named none.
with usages as (
    select
        usages.tenant_id,
        {{ local_date('usages.occurred_at', 'tenants.timezone') }} as usage_date,
        coalesce(usages.channel, '') as channel,
        coalesce(usages.model, '') as model,
        coalesce(usages.action, '') as action,
        usages.kind,
        usages.quantity,
        usages.debited_tokens
    from {{ ref('int_token_usages__rated') }} as usages
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on usages.tenant_id = tenants.tenant_id
),

final as (
    select
        tenant_id,
        usage_date,
        channel,
        model,
        action,
        kind,
        count(*) as usage_count,
        sum(case when debited_tokens is null then 1 else 0 end) as unrated_count,
        sum(quantity) as quantity,
        sum(coalesce(debited_tokens, 0)) as debited_tokens
    from usages
    group by tenant_id, usage_date, channel, model, action, kind
)

select
    tenant_id,

    usage_date,

    channel,
    model,
    action,
    kind,

    cast(usage_count as bigint) as usage_count,
    cast(unrated_count as bigint) as unrated_count,
    cast(quantity as bigint) as quantity,
    cast(debited_tokens as bigint) as debited_tokens
from final
