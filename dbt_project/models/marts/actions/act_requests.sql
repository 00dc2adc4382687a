-- One row per wanted action. Its id says why it is wanted, by events alone: neither computed times nor lead ids, which change when two
-- leads turn out to be one. So a rerun wants the same, and nothing is asked for again.
with lifetimes as (
    select * from {{ ref('action_lifetimes') }}
),

leaks as (
    select
        leaks.tenant_id,
        'lead_leak' as rule,
        'notify' as kind,
        'webhook' as channel,
        leaks.lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        leaks.kind as subject,
        leaks.trigger_event_id as trigger_id,
        {{ json_object({
            'leak': json_text('leaks.kind'),
            'leak_id': json_text('leaks.leak_id'),
            'triggered_at': json_text(iso_time('leaks.triggered_at')),
            'since_at': json_text(iso_time('leaks.since_at')),
        }) }} as details,
        leaks.since_at as due_at,
        {{ add_seconds('leaks.since_at', 'lifetimes.seconds') }} as lapses_at,
        leaks.closed_at as settled_at
    from {{ ref('fct_lead_leaks') }} as leaks
    inner join lifetimes
        on lifetimes.rule = 'lead_leak' and {{ is_valid_at('lifetimes', 'leaks.since_at') }}
),

recoveries as (
    select
        tenant_id,
        'cold_recovery' as rule,
        'send_template' as kind,
        channel,
        lead_id,
        point_id,
        account_id,
        template_name,
        'silence' as subject,
        trigger_event_id as trigger_id,
        {{ json_object({'attempt': json_number('attempt')}) }} as details,
        due_at,
        expires_at as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from {{ ref('fct_recovery_candidates') }}
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

-- A warning is worth nothing once the clock is due. What comes exactly at the due instant is in time, so a breach begins just after it.
promises as (
    select
        *,
        'sla_warning' as rule,
        warn_at as wanted_at,
        case when due_at is null or stopped_at < due_at then stopped_at else due_at end as settled_at
    from {{ ref('fct_sla_clocks') }}
    where finding is null and (stopped_at is null or stopped_at > warn_at)
    union all
    select
        *,
        'sla_breach' as rule,
        {{ from_microseconds(microseconds('due_at') ~ ' + 1') }} as wanted_at,
        stopped_at as settled_at
    from {{ ref('fct_sla_clocks') }}
    where finding is null and (stopped_at is null or stopped_at > due_at)
),

levels as (
    select
        promises.tenant_id,
        promises.rule,
        'notify' as kind,
        'webhook' as channel,
        promises.lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        promises.metric as subject,
        promises.trigger_event_id as trigger_id,
        {{ json_object({
            'metric': json_text('promises.metric'),
            'clock_id': json_text('promises.clock_id'),
            'policy_id': json_text('promises.policy_id'),
            'started_at': json_text(iso_time('promises.started_at')),
            'due_at': json_text(iso_time('promises.due_at')),
        }) }} as details,
        promises.wanted_at as due_at,
        {{ add_seconds('promises.wanted_at', 'lifetimes.seconds') }} as lapses_at,
        promises.settled_at
    from promises
    inner join lifetimes
        on promises.rule = lifetimes.rule and {{ is_valid_at('lifetimes', 'promises.wanted_at') }}
),

requests as (
    select * from leaks
    union all
    select * from levels
    union all
    select * from recoveries
    union all
    select * from thresholds
    union all
    select * from abuses
    union all
    select * from run_outs
    union all
    select * from {{ ref('int_scheduled_requests__wanted') }}
    union all
    select * from {{ ref('int_appointment_requests__wanted') }}
    union all
    select * from {{ ref('int_lead_requests__wanted') }}
    union all
    select * from {{ ref('int_service_requests__wanted') }}
)

select
    {{ key_of(['tenant_id', 'rule', 'subject', 'trigger_id']) }} as action_id,
    tenant_id,
    lead_id,
    point_id,
    account_id,

    rule,
    kind,
    channel,
    template_name,
    subject,
    trigger_id as trigger,
    details,

    due_at,
    case when settled_at < lapses_at then settled_at else lapses_at end as expires_at
from requests
