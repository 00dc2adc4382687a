-- One row per need and person who may take it: operators (managers where there is none then) who are at work, or else are so first; with
-- their open leads and when anything last named them.
with needs as (
    select * from {{ ref('int_lead_needs__queued') }}
),

staffed as (
    select
        needs.tenant_id,
        needs.lead_id,
        needs.need_no,
        people.person_id,
        people.calendar_id,
        people.role,
        needs.waiting_before,
        needs.began_at,
        min(case people.role when 'operator' then 0 else 1 end) over (
            partition by needs.tenant_id, needs.lead_id, needs.need_no
        ) as wanted_rank
    from needs
    inner join {{ ref('stg_reference__people') }} as people
        on
            needs.tenant_id = people.tenant_id
            and people.role in ('operator', 'manager')
            and {{ is_valid_at('people', 'needs.began_at') }}
),

candidates as (
    select * from staffed
    where case role when 'operator' then 0 else 1 end = wanted_rank
),

wanted as (
    select distinct tenant_id, person_id from candidates
),

hands as (
    select
        tenant_id,
        event_kind,
        person_id,
        occurred_at as taken_at,
        lead(occurred_at) over (
            partition by tenant_id, lead_id
            order by occurred_at, event_order, event_kind, event_id
        ) as left_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('assigned', 'unassigned', 'won', 'lost')
),

-- Leads taken and left, whatever names a person who may be chosen, and the moments to look at; a look sees what happens at its instant.
moments as (
    select
        tenant_id,
        person_id,
        cast(null as {{ text_type() }}) as lead_id,
        cast(null as bigint) as need_no,
        taken_at as moment_at,
        taken_at as active_at,
        0 as is_look,
        1 as difference
    from hands
    where event_kind = 'assigned' and (tenant_id, person_id) in (select wanted.tenant_id, wanted.person_id from wanted)
    union all
    select tenant_id, person_id, null as lead_id, null as need_no, left_at, null as active_at, 0 as is_look, -1 as difference
    from hands
    where
        event_kind = 'assigned' and left_at is not null
        and (tenant_id, person_id) in (select wanted.tenant_id, wanted.person_id from wanted)
    union all
    select tenant_id, person_id, null as lead_id, null as need_no, occurred_at, occurred_at as active_at, 0 as is_look, 0 as difference
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind <> 'assigned' and (tenant_id, person_id) in (select wanted.tenant_id, wanted.person_id from wanted)
    union all
    select tenant_id, person_id, lead_id, need_no, began_at, null as active_at, 1 as is_look, 0 as difference
    from candidates
),

weighed as (
    select
        *,
        sum(difference) over so_far as open_leads,
        max(active_at) over so_far as last_active_at
    from moments
    window so_far as (
        partition by tenant_id, person_id
        order by moment_at, is_look
        rows between unbounded preceding and current row
    )
),

-- The first stretch of the person's calendar that has not closed by then.
looks as (
    select
        tenant_id,
        calendar_id,
        closed_us as moment_us,
        0 as is_look,
        1 as closes
    from {{ ref('int_business_intervals__numbered') }}
    union all
    select distinct
        tenant_id,
        calendar_id,
        {{ microseconds('began_at') }} as moment_us,
        1 as is_look,
        0 as closes
    from candidates
),

passed as (
    select
        *,
        sum(closes) over (
            partition by tenant_id, calendar_id
            order by moment_us, is_look
            rows between unbounded preceding and current row
        ) as closed_count
    from looks
),

opened as (
    select
        passed.tenant_id,
        passed.calendar_id,
        passed.moment_us,
        case when intervals.opened_us > passed.moment_us then intervals.opened_us else passed.moment_us end as works_from_us
    from passed
    inner join {{ ref('int_business_intervals__numbered') }} as intervals
        on
            passed.tenant_id = intervals.tenant_id
            and passed.calendar_id = intervals.calendar_id
            and passed.closed_count + 1 = intervals.interval_no
    where passed.is_look = 1
),

available as (
    select
        candidates.*,
        opened.works_from_us,
        weighed.open_leads,
        weighed.last_active_at,
        min(opened.works_from_us) over (
            partition by candidates.tenant_id, candidates.lead_id, candidates.need_no
        ) as first_from_us
    from candidates
    inner join opened
        on
            candidates.tenant_id = opened.tenant_id
            and candidates.calendar_id = opened.calendar_id
            and {{ microseconds('candidates.began_at') }} = opened.moment_us
    inner join weighed
        on
            candidates.tenant_id = weighed.tenant_id
            and candidates.person_id = weighed.person_id
            and candidates.lead_id = weighed.lead_id
            and candidates.need_no = weighed.need_no
),

final as (
    select
        tenant_id,
        lead_id,
        need_no,
        person_id,

        cast(open_leads as bigint) as open_leads,
        waiting_before,

        began_at,
        last_active_at,
        {{ from_microseconds('works_from_us') }} as works_from_at
    from available
    where works_from_us = first_from_us
)

select * from final
