-- One row per need that somebody can take: who. As if the leads that already wait had each gone to the least burdened before it: filling up
-- the loads like water, the one who was idle longest first at each level.
with candidates as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id, need_no
            order by open_leads, person_id
        ) as load_no,
        lead(open_leads) over (
            partition by tenant_id, lead_id, need_no
            order by open_leads, person_id
        ) as next_leads,
        sum(open_leads) over (
            partition by tenant_id, lead_id, need_no
            order by open_leads, person_id
            rows between unbounded preceding and current row
        ) as leads_so_far
    from {{ ref('int_lead_candidates__weighed') }}
),

-- The first so many whom those waiting do not raise to the next one's load share them.
sharing as (
    select
        *,
        min(case when next_leads is null or waiting_before < load_no * next_leads - leads_so_far then load_no end) over (
            partition by tenant_id, lead_id, need_no
        ) as share_count
    from candidates
),

shared as (
    select
        *,
        -- what is left of those waiting once all who share are at the load of the last of them
        waiting_before - max(case when load_no = share_count then load_no * open_leads - leads_so_far end) over (
            partition by tenant_id, lead_id, need_no
        ) as left_over,
        row_number() over (
            partition by tenant_id, lead_id, need_no
            order by case when last_active_at is null then 0 else 1 end, last_active_at, person_id
        ) as idle_no
    from sharing
    where load_no <= share_count
),

final as (
    select
        tenant_id,
        lead_id,
        need_no,
        person_id,

        open_leads,

        works_from_at
    from shared
    where idle_no = left_over % share_count + 1
)

select * from final
