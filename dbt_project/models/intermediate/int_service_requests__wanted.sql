-- One row per alert on a service's error budget: a day that spent much of it, or the day on which all days together passed a part of it.
with days as (
    select
        *,
        lag(spent_us) over (partition by tenant_id, service order by health_date) as previous_spent_us
    from {{ ref('fct_service_health') }}
),

final as (
    select
        days.tenant_id,
        'service_burn' as rule,
        'notify' as kind,
        'webhook' as channel,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        alerts.alert as subject,
        days.service || ':' || cast(days.health_date as {{ text_type() }}) as trigger_id,
        {{ json_object({
            'alert': json_text('alerts.alert'),
            'service': json_text('days.service'),
            'spent_percent': json_number(whole_division('days.spent_us * 100', 'days.budget_us')),
        }) }} as details,
        days.began_at as due_at,
        {{ add_seconds('days.began_at', 'lifetimes.seconds') }} as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from days
    inner join {{ ref('service_alerts') }} as alerts
        on
            {{ is_valid_at('alerts', 'days.began_at') }}
            and case when alerts.is_of_day then days.down_us else days.spent_us end * 100 >= days.budget_us * alerts.spent_percent
            and (alerts.is_of_day or coalesce(days.previous_spent_us, 0) * 100 < days.budget_us * alerts.spent_percent)
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on lifetimes.rule = 'service_burn' and {{ is_valid_at('lifetimes', 'days.began_at') }}
    where days.down_us > 0 and days.budget_us > 0
)

select * from final
