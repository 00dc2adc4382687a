-- One row per appointment: a booking with all that replaced it, whichever half of a reschedule was told first.
with bookings as (
    select * from {{ ref('int_appointments__chained') }}
),

-- Who and since when are known of any booking of the chain; the latest one that was told says the rest.
chains as (
    select
        tenant_id,
        chain_id,
        max(move_count) as reschedule_count,
        min(booked_at) as booked_at,
        max(utm_lead_id) as utm_lead_id,
        max(lead_id) as any_lead_id,
        max(contact_point_id) as any_contact_point_id,
        max(event_type_id) as any_event_type_id,
        max(account_id) as any_account_id
    from bookings
    group by tenant_id, chain_id
),

final as (
    select
        chains.tenant_id,
        chains.chain_id as appointment_id,
        latest.appointment_id as latest_booking_id,
        coalesce(latest.lead_id, chains.any_lead_id) as lead_id,
        coalesce(latest.contact_point_id, chains.any_contact_point_id) as contact_point_id,
        coalesce(latest.account_id, chains.any_account_id) as account_id,
        coalesce(latest.event_type_id, chains.any_event_type_id) as event_type_id,
        chains.utm_lead_id,

        case
            when not latest.is_told or (latest.has_moved and latest.cancelled_at is null) then 'rescheduled'
            when latest.cancelled_at is not null then 'cancelled'
            when latest.is_no_show then 'no_show'
            when latest.ends_at <= {{ as_of() }} then 'completed'
            else 'booked'
        end as status,
        case when latest.cancelled_at is not null then latest.cancelled_by end as cancelled_by,
        latest.timezone,

        chains.reschedule_count,

        latest.is_no_show,

        chains.booked_at,
        latest.starts_at,
        latest.ends_at,
        latest.cancelled_at
    from chains
    inner join bookings as latest
        on
            chains.tenant_id = latest.tenant_id
            and chains.chain_id = latest.chain_id
            and latest.reverse_no = 1
)

select
    tenant_id,
    appointment_id,
    latest_booking_id,
    lead_id,
    contact_point_id,
    account_id,
    event_type_id,
    utm_lead_id,

    status,
    cancelled_by,
    timezone,

    cast(reschedule_count as bigint) as reschedule_count,

    is_no_show,

    booked_at,
    starts_at,
    ends_at,
    cancelled_at
from final
