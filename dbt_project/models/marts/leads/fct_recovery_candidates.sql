-- One row per lead that owes us an answer: the recovery attempt that comes next, and when.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with messages as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id
            order by occurred_at desc, event_order desc, event_id desc
        ) as recency_no,
        max(case when event_kind = 'inbound' then occurred_at end) over (partition by tenant_id, lead_id) as last_inbound_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('inbound', 'outbound')
),

-- An attempt at the instant of the last inbound message comes after it.
attempts as (
    select
        tenant_id,
        lead_id,
        sum(case when is_recovery_attempt and occurred_at >= last_inbound_at then 1 else 0 end) as attempt_count
    from messages
    group by tenant_id, lead_id
),

silent as (
    select
        messages.tenant_id,
        messages.lead_id,
        messages.event_id as trigger_event_id,
        messages.contact_point_id,
        messages.channel,
        messages.channel_account_id,
        messages.occurred_at,
        attempts.attempt_count + 1 as attempt
    from messages
    inner join attempts
        on
            messages.tenant_id = attempts.tenant_id
            and messages.lead_id = attempts.lead_id
    inner join {{ ref('dim_leads') }} as leads
        on
            messages.tenant_id = leads.tenant_id
            and messages.lead_id = leads.lead_id
    where
        messages.recency_no = 1
        and messages.event_kind = 'outbound'
        and messages.last_inbound_at is not null
        and leads.stage not in ('won', 'lost')
        and not leads.is_opted_out
        and not leads.is_erased
),

-- Where to write: the point that we wrote to if the lead still holds it, else the newest of its kind.
reachable as (
    select
        silent.tenant_id,
        silent.lead_id,
        held.contact_point_id,
        row_number() over (
            partition by silent.tenant_id, silent.lead_id
            order by
                case when held.contact_point_id = silent.contact_point_id then 0 else 1 end asc,
                held.valid_from_at desc,
                held.contact_point_id asc
        ) as choice_no
    from silent
    inner join {{ ref('dim_contact_points') }} as written
        on
            silent.tenant_id = written.tenant_id
            and silent.contact_point_id = written.contact_point_id
            and silent.lead_id = written.lead_id
            and silent.occurred_at >= written.valid_from_at
            and (written.valid_to_at is null or silent.occurred_at < written.valid_to_at)
    inner join {{ ref('dim_contact_points') }} as held
        on
            silent.tenant_id = held.tenant_id
            and silent.lead_id = held.lead_id
            and written.kind = held.kind
            and held.valid_to_at is null
),

timed as (
    select
        silent.*,
        reachable.contact_point_id as reachable_point_id,
        policies.recovery_template as template_name,
        policies.recovery_expires_seconds,
        {{ add_seconds('silent.occurred_at', 'steps.wait_seconds') }} as due_at
    from silent
    inner join reachable
        on
            silent.tenant_id = reachable.tenant_id
            and silent.lead_id = reachable.lead_id
            and reachable.choice_no = 1
    inner join {{ source('reference', 'recovery_steps') }} as steps
        on
            silent.tenant_id = steps.tenant_id
            and silent.attempt = steps.attempt
            and {{ is_valid_at('steps', 'silent.occurred_at') }}
    inner join {{ ref('stg_reference__policies') }} as policies
        on
            silent.tenant_id = policies.tenant_id
            and {{ is_valid_at('policies', 'silent.occurred_at') }}
)

select
    tenant_id,
    lead_id,
    trigger_event_id,
    reachable_point_id as point_id,
    channel_account_id as account_id,

    channel,
    template_name,

    cast(attempt as bigint) as attempt,

    due_at,
    {{ add_seconds('due_at', 'recovery_expires_seconds') }} as expires_at
from timed
