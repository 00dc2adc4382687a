-- One row per message that an appointment wants: its confirmation, reminders a day and an hour before, the follow-up of a no-show.
with appointments as (
    select
        appointments.*,
        bookings.booked_at as last_booked_at
    from {{ ref('fct_appointments') }} as appointments
    inner join {{ ref('int_appointments__chained') }} as bookings
        on
            appointments.tenant_id = bookings.tenant_id
            and appointments.latest_booking_id = bookings.appointment_id
    where
        appointments.lead_id is not null
        and appointments.contact_point_id is not null
        and appointments.starts_at is not null
        and appointments.status <> 'rescheduled'
),

wishes as (
    select
        appointments.*,
        'appointment_confirmation' as rule,
        'send_confirmation' as kind,
        'confirmation' as subject,
        appointments.last_booked_at as due_at,
        appointments.starts_at as too_late_at
    from appointments
    where appointments.last_booked_at is not null
    union all
    select
        appointments.*,
        'appointment_reminder' as rule,
        'send_reminder' as kind,
        steps.reminder as subject,
        {{ add_seconds('appointments.starts_at', '-steps.seconds_before') }} as due_at,
        appointments.starts_at as too_late_at
    from appointments
    inner join {{ ref('appointment_reminders') }} as steps
        on {{ is_valid_at('steps', 'appointments.starts_at') }}
    where
        -- who books later than that needs no reminder
        appointments.last_booked_at <= {{ add_seconds('appointments.starts_at', '-steps.seconds_before') }}
    union all
    select
        appointments.*,
        'no_show_follow_up' as rule,
        'send_follow_up' as kind,
        'no_show' as subject,
        appointments.ends_at as due_at,
        cast(null as {{ moment_type() }}) as too_late_at
    from appointments
    where appointments.status = 'no_show' and appointments.ends_at is not null
),

final as (
    select
        wishes.tenant_id,
        wishes.rule,
        wishes.kind,
        'webhook' as channel,
        wishes.lead_id,
        wishes.contact_point_id as point_id,
        cast(null as {{ text_type() }}) as account_id,
        cast(null as {{ text_type() }}) as template_name,
        wishes.subject,
        wishes.latest_booking_id as trigger_id,
        {{ json_object({
            'appointment_id': json_text('wishes.appointment_id'),
            'starts_at': json_text(iso_time('wishes.starts_at')),
            'timezone': json_text('wishes.timezone'),
        }) }} as details,
        wishes.due_at,
        {{ add_seconds('wishes.due_at', 'lifetimes.seconds') }} as lapses_at,
        least(wishes.too_late_at, wishes.cancelled_at) as settled_at
    from wishes
    inner join {{ ref('action_lifetimes') }} as lifetimes
        on wishes.rule = lifetimes.rule and {{ is_valid_at('lifetimes', 'wishes.due_at') }}
    -- what was cancelled before it was due is not wanted
    where wishes.cancelled_at is null or wishes.cancelled_at > wishes.due_at
)

select * from final
