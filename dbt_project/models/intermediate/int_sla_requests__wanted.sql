-- One row per warning before a service level is due, and per breach once it was.
with lifetimes as (
    select * from {{ ref('action_lifetimes') }}
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

final as (
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
)

select * from final
