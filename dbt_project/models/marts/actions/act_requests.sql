-- One row per wanted action. Its id says why it is wanted, by events alone: neither computed times nor lead ids, which change when two
-- leads turn out to be one. So a rerun wants the same, and nothing is asked for again.
-- Leaks and recoveries, by far the most, are made anew where their lead was touched; the rest follows from more than its lead.
{{ config(materialized='incremental', meta={'scope': 'lead', 'always': "rule not in ('lead_leak', 'cold_recovery')"}) }}
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

requests as (
    select * from leaks
    union all
    select * from recoveries
    union all
    select * from {{ ref('int_token_requests__wanted') }}
    union all
    select * from {{ ref('int_sla_requests__wanted') }}
    union all
    select * from {{ ref('int_scheduled_requests__wanted') }}
    union all
    select * from {{ ref('int_appointment_requests__wanted') }}
    union all
    select * from {{ ref('int_booking_requests__wanted') }}
    union all
    select * from {{ ref('int_lead_requests__wanted') }}
    union all
    select * from {{ ref('int_service_requests__wanted') }}
    union all
    select * from {{ ref('int_account_requests__wanted') }}
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
