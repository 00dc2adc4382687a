-- One row per sign of abuse: kind, subject and local day, at the moment at which it became one.
with signals as (
    select
        tenant_id,
        'spend_spike' as signal,
        'wallet' as subject,
        cast(null as {{ text_type() }}) as contact_point_id,
        local_date,
        robust_z as observed,
        deviations as limit_value,
        detected_at
    from {{ ref('int_token_spikes__found') }}
    union all
    select
        tenant_id, signal, coalesce(contact_point_id, 'wallet'), contact_point_id, local_date,
        cast(happening_count as {{ double_type() }}), cast(at_least as {{ double_type() }}), detected_at
    from {{ ref('int_abuse_counts__reached') }}
    union all
    select
        tenant_id, 'refund_cycling', 'wallet', cast(null as {{ text_type() }}), local_date,
        cast(at_least as {{ double_type() }}), cast(at_least as {{ double_type() }}), detected_at
    from {{ ref('int_refund_cycles__found') }}
    union all
    select
        tenant_id, 'usage_while_paused', top_up_transaction_id, cast(null as {{ text_type() }}), local_date,
        cast(use_count as {{ double_type() }}), cast(at_least as {{ double_type() }}), detected_at
    from {{ ref('int_paused_usages__found') }}
)

select
    tenant_id,
    {{ key_of(['tenant_id', 'signal', 'subject', 'cast(local_date as ' ~ text_type() ~ ')']) }} as signal_id,
    contact_point_id,

    signal,
    subject,
    local_date as signal_date,

    observed,
    limit_value,

    detected_at
from signals
