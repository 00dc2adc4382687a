-- One row per tenant, local day and subject that did too often what may be done so many times a day: uses of one contact, failed payments.
{{ config(materialized='incremental', meta={'scope': 'point', 'always': "signal <> 'contact_flood'"}) }}
with limits as (
    select * from {{ ref('token_limits') }}
),

failures as (
    select
        *,
        row_number() over (
            partition by tenant_id, coalesce(payment_id, event_id)
            order by case when kind = 'payment.failed' then 0 else 1 end, occurred_at, event_id
        ) as telling_no
    from {{ ref('stg_lake__payments') }}
    where kind in ('payment.failed', 'payment.listed.failed')
),

happenings as (
    select tenant_id, 'contact_flood' as signal, contact_point_id, event_id, occurred_at
    from {{ ref('int_token_usages__rated') }}
    where contact_point_id is not null
    union all
    select tenant_id, 'failed_payments', cast(null as {{ text_type() }}), event_id, occurred_at
    from failures
    where telling_no = 1
),

dated as (
    select
        happenings.*,
        {{ local_date('happenings.occurred_at', 'tenants.timezone') }} as local_date
    from happenings
    inner join {{ ref('stg_reference__tenants') }} as tenants
        on happenings.tenant_id = tenants.tenant_id
),

counted as (
    select
        *,
        row_number() over (
            partition by tenant_id, signal, contact_point_id, local_date
            order by occurred_at, event_id
        ) as happening_no,
        count(*) over (partition by tenant_id, signal, contact_point_id, local_date) as happening_count
    from dated
),

final as (
    select
        counted.tenant_id,
        counted.signal,
        counted.contact_point_id,
        counted.local_date,
        max(counted.happening_count) as happening_count,
        max(limits.at_least) as at_least,
        min(counted.occurred_at) as detected_at
    from counted
    inner join limits
        on
            counted.signal = limits.rule
            and {{ is_valid_at('limits', 'counted.occurred_at') }}
            and counted.happening_no >= limits.at_least
    group by counted.tenant_id, counted.signal, counted.contact_point_id, counted.local_date
)

select * from final
