-- One row per tenant and local day from its first wallet entry to as_of; the latest is the balance now.
with days as (
    select * from {{ ref('int_token_days__spanned') }}
)

select
    tenant_id,
    local_date as balance_date,

    is_current,

    balance_tokens,
    last_top_up_tokens,
    credited_tokens,
    debited_tokens,
    expired_tokens
from days
