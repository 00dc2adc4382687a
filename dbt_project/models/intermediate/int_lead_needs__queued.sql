-- One row per stretch of time in which a lead in nobody's hands wants a person, from its first matter until the last is answered or lapses,
-- with how many other leads were already waiting so when it began.
with matters as (
    select
        tenant_id,
        lead_id,
        rule,
        trigger_event_id,
        raised_at,
        case when answered_at < lapses_at then answered_at else lapses_at end as ends_at
    from {{ ref('int_lead_matters__raised') }}
    where lead_id is not null and not is_in_hands
),

-- A matter raised while another of the lead waits belongs to the same need, and so to the same person.
compared as (
    select
        *,
        max(ends_at) over (
            partition by tenant_id, lead_id
            order by raised_at, rule, trigger_event_id
            rows between unbounded preceding and 1 preceding
        ) as waiting_until
    from matters
),

stretched as (
    select
        *,
        sum(case when waiting_until > raised_at then 0 else 1 end) over (
            partition by tenant_id, lead_id
            order by raised_at, rule, trigger_event_id
            rows between unbounded preceding and current row
        ) as need_no
    from compared
),

ordered as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id, need_no
            order by raised_at, rule, trigger_event_id
        ) as matter_no,
        max(ends_at) over (partition by tenant_id, lead_id, need_no) as need_ends_at
    from stretched
),

changes as (
    select
        tenant_id,
        lead_id,
        need_no,
        trigger_event_id,
        raised_at as changed_at,
        need_ends_at,
        1 as change_order,
        1 as difference
    from ordered
    where matter_no = 1
    union all
    select
        tenant_id,
        lead_id,
        need_no,
        trigger_event_id,
        need_ends_at as changed_at,
        need_ends_at,
        0 as change_order,
        -1 as difference
    from ordered
    where matter_no = 1
),

counted as (
    select
        *,
        sum(difference) over (
            partition by tenant_id
            order by changed_at, change_order, trigger_event_id, lead_id
            rows between unbounded preceding and 1 preceding
        ) as waiting_count
    from changes
),

final as (
    select
        tenant_id,
        lead_id,

        cast(need_no as bigint) as need_no,
        cast(coalesce(waiting_count, 0) as bigint) as waiting_before,

        changed_at as began_at,
        need_ends_at as ends_at
    from counted
    where change_order = 1
)

select * from final
