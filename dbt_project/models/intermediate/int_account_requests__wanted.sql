-- One row per alert on what a vendor said of our own account: a suspension, quality that fell, a paused template, or that it is over.
with final as (
    select
        news.tenant_id,
        'suspension' as rule,
        'notify' as kind,
        'webhook' as channel,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as {{ text_type() }}) as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        alerts.alert as subject,
        news.event_id as trigger_id,
        {{ json_object({
            'alert': json_text('alerts.alert'),
            'source': json_text('news.source'),
            'account_id': json_text('news.account_id'),
            'about': json_text('news.subject'),
            'state': json_text('news.state'),
            'expires_at': json_text(iso_time('news.expires_at')),
        }) }} as details,
        news.occurred_at as due_at,
        {{ add_seconds('news.occurred_at', 'lifetimes.seconds') }} as lapses_at,
        cast(null as {{ moment_type() }}) as settled_at
    from {{ ref('fct_account_events') }} as news
    inner join {{ ref('account_alerts') }} as alerts
        on
            news.kind = alerts.kind
            and news.state = alerts.state
            and {{ is_valid_at('alerts', 'news.occurred_at') }}
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on lifetimes.rule = 'suspension' and {{ is_valid_at('lifetimes', 'news.occurred_at') }}
)

select * from final
