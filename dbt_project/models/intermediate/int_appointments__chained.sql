-- One row per booking that any event names, with the chain of reschedules that it stands in, in whatever order it was told.
{{ config(meta={'scope': 'lead'}) }}
with steps as (
    select * from {{ ref('stg_lake__appointments') }}
    where kind <> 'form_submitted'
),

-- Either half of a reschedule names the other booking; one is enough.
links as (
    select
        tenant_id,
        appointment_id,
        min(old_appointment_id) as old_appointment_id
    from (
        select tenant_id, appointment_id, old_appointment_id from steps
        where old_appointment_id is not null
        union all
        select tenant_id, new_appointment_id as appointment_id, appointment_id as old_appointment_id from steps
        where new_appointment_id is not null
    ) as told
    where appointment_id <> old_appointment_id
    group by tenant_id, appointment_id
),

nodes as (
    select distinct tenant_id, appointment_id from steps
    union
    select distinct tenant_id, appointment_id from links
    union
    select distinct tenant_id, old_appointment_id as appointment_id from links
),

-- Each pass doubles how far back a booking looks, so six carry chains of 64 bookings.
reached_0 as (
    select
        nodes.tenant_id,
        nodes.appointment_id,
        coalesce(links.old_appointment_id, nodes.appointment_id) as root_id,
        case when links.appointment_id is null then 0 else 1 end as move_count
    from nodes
    left join links
        on
            nodes.tenant_id = links.tenant_id
            and nodes.appointment_id = links.appointment_id
),
{% for pass in range(1, 7) %}
    reached_{{ pass }} as (
        select
            nearer.tenant_id,
            nearer.appointment_id,
            further.root_id,
            nearer.move_count + further.move_count as move_count
        from reached_{{ pass - 1 }} as nearer
        inner join reached_{{ pass - 1 }} as further
            on
                nearer.tenant_id = further.tenant_id
                and nearer.root_id = further.appointment_id
    ),
{% endfor %}

marks as (
    select
        marked.tenant_id,
        marked.appointment_id,
        marked.event_id,
        marked.occurred_at
    from steps as marked
    left join steps as cleared
        on
            marked.tenant_id = cleared.tenant_id
            and marked.appointment_id = cleared.appointment_id
            and cleared.kind = 'no_show_cleared'
            and (
                marked.no_show_id = cleared.no_show_id
                or ((cleared.no_show_id is null or marked.no_show_id is null) and marked.occurred_at <= cleared.occurred_at)
            )
    where marked.kind = 'no_show_marked' and cleared.event_id is null
),

no_shows as (
    select
        tenant_id,
        appointment_id,
        event_id,
        occurred_at,
        row_number() over (partition by tenant_id, appointment_id order by occurred_at, event_id) as mark_no
    from marks
),

-- What was said of one booking: a time is that of the booking itself where it was told, else of any other step.
ordered as (
    select
        *,
        row_number() over (
            partition by tenant_id, appointment_id
            order by case when kind in ('booked', 'rescheduled_from') then 0 else 1 end, occurred_at, event_id
        ) as step_no
    from steps
),

said as (
    select
        tenant_id,
        appointment_id,
        max(case when step_no = 1 then event_id end) as event_id,
        max(case when step_no = 1 then account_id end) as account_id,
        max(case when step_no = 1 then contact_point_id end) as contact_point_id,
        max(case when step_no = 1 then event_type_id end) as event_type_id,
        max(case when step_no = 1 then utm_lead_id end) as utm_lead_id,
        max(case when step_no = 1 then timezone end) as timezone,
        max(case when step_no = 1 then occurred_at end) as occurred_at,
        max(case when step_no = 1 then starts_at end) as starts_at,
        max(case when step_no = 1 then ends_at end) as ends_at,
        min(case when kind in ('booked', 'rescheduled_from') then occurred_at end) as booked_at,
        min(case when kind = 'cancelled' then occurred_at end) as cancelled_at,
        max(case when kind = 'cancelled' then cancelled_by end) as cancelled_by,
        min(case when kind = 'rescheduled_to' then occurred_at end) as moved_at,
        max(case when kind = 'rescheduled_to' then 1 else 0 end) as has_moved
    from ordered
    group by tenant_id, appointment_id
),

final as (
    select
        nodes.tenant_id,
        nodes.appointment_id,
        nodes.root_id as chain_id,
        said.event_id,
        no_shows.event_id as no_show_event_id,
        said.account_id,
        lead_points.lead_id,
        said.contact_point_id,
        said.event_type_id,
        said.utm_lead_id,

        said.timezone,
        said.cancelled_by,

        nodes.move_count,

        row_number() over (
            partition by nodes.tenant_id, nodes.root_id
            order by nodes.move_count desc, nodes.appointment_id asc
        ) as reverse_no,
        said.event_id is not null as is_told,
        coalesce(said.has_moved, 0) = 1 as has_moved,
        no_shows.appointment_id is not null as is_no_show,

        said.starts_at,
        said.ends_at,
        said.booked_at,
        said.moved_at,
        no_shows.occurred_at as no_show_at,
        said.cancelled_at
    from reached_6 as nodes
    left join said
        on
            nodes.tenant_id = said.tenant_id
            and nodes.appointment_id = said.appointment_id
    left join no_shows
        on
            nodes.tenant_id = no_shows.tenant_id
            and nodes.appointment_id = no_shows.appointment_id
            and no_shows.mark_no = 1
    left join {{ ref('stg_reference__lead_points') }} as lead_points
        on
            said.tenant_id = lead_points.tenant_id
            and said.contact_point_id = lead_points.contact_point_id
            and {{ is_valid_at('lead_points', 'said.occurred_at') }}
)

select * from final
