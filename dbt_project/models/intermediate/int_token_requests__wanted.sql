-- One row per notice, top-up link or pause that a tenant's tokens want: the balance fell to a threshold, was abused, or will run out.
with lifetimes as (
    select * from {{ ref('action_lifetimes') }}
),

thresholds as (
    select
        crossings.tenant_id,
        'token_threshold' as rule,
        case crossings.action when 'alert' then 'notify' else crossings.action end as kind,
        'webhook' as channel,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        'wallet:' || crossings.action as subject,
        crossings.top_up_transaction_id || ':' || cast(crossings.percent as {{ text_type() }}) as trigger_id,
        {{ json_object({
            'percent': json_number('crossings.percent'),
            'balance_tokens': json_number('crossings.balance_tokens'),
            'last_top_up_tokens': json_number('crossings.top_up_tokens'),
        }) }} as details,
        crossings.occurred_at as due_at,
        {{ add_seconds('crossings.occurred_at', 'lifetimes.seconds') }} as lapses_at,
        crossings.next_top_up_at as settled_at
    from {{ ref('int_token_thresholds__crossed') }} as crossings
    inner join lifetimes
        on lifetimes.rule = 'token_threshold' and {{ is_valid_at('lifetimes', 'crossings.occurred_at') }}
),

abuses as (
    select
        signals.tenant_id,
        'token_abuse' as rule,
        'notify' as kind,
        'webhook' as channel,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        'abuse:' || signals.signal as subject,
        signals.subject || ':' || cast(signals.signal_date as {{ text_type() }}) as trigger_id,
        {{ json_object({
            'signal': json_text('signals.signal'),
            'signal_id': json_text('signals.signal_id'),
            'signal_date': json_text('cast(signals.signal_date as ' ~ text_type() ~ ')'),
        }) }} as details,
        signals.detected_at as due_at,
        {{ add_seconds('signals.detected_at', 'lifetimes.seconds') }} as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from {{ ref('fct_abuse_signals') }} as signals
    inner join lifetimes
        on lifetimes.rule = 'token_abuse' and {{ is_valid_at('lifetimes', 'signals.detected_at') }}
),

last_entries as (
    select
        tenant_id,
        top_up_transaction_id,
        row_number() over (partition by tenant_id order by entry_order desc) as reverse_no
    from {{ ref('int_wallet_entries__balanced') }}
),

-- Once a top-up: while the forecast says that the wallet runs out within the days of the limit.
run_outs as (
    select
        forecasts.tenant_id,
        'token_run_out' as rule,
        'notify' as kind,
        'webhook' as channel,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        'wallet:run_out' as subject,
        coalesce(last_entries.top_up_transaction_id, 'none') as trigger_id,
        {{ json_object({
            'runs_out_at': json_text(iso_time('forecasts.runs_out_at')),
            'balance_tokens': json_number('forecasts.balance_tokens'),
        }) }} as details,
        forecasts.forecast_at as due_at,
        {{ add_seconds('forecasts.forecast_at', 'lifetimes.seconds') }} as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from {{ ref('fct_token_forecasts') }} as forecasts
    inner join {{ ref('token_limits') }} as limits
        on
            limits.rule = 'run_out'
            and {{ is_valid_at('limits', 'forecasts.forecast_at') }}
            and forecasts.runs_out_at < {{ add_seconds('forecasts.forecast_at', 'limits.at_least * 86400') }}
    inner join last_entries
        on
            forecasts.tenant_id = last_entries.tenant_id
            and last_entries.reverse_no = 1
    inner join lifetimes
        on lifetimes.rule = 'token_run_out' and {{ is_valid_at('lifetimes', 'forecasts.forecast_at') }}
),

final as (
    select * from thresholds
    union all
    select * from abuses
    union all
    select * from run_outs
)

select * from final
