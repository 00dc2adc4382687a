-- One row per stretch of time in which a lead was HOT, in nobody's hands, and neither won, lost nor opted out.
{{ config(materialized='incremental', meta={'scope': 'lead'}) }}
with changes as (
    select
        tenant_id,
        lead_id,
        trigger_event_id as event_id,
        decided_at as occurred_at,
        0 as event_order,
        'tier_left_hot' as event_kind,
        case when tier = 'HOT' then 1 else 0 end as sets_hot,
        cast(null as integer) as sets_assigned,
        cast(null as integer) as sets_done,
        cast(null as integer) as sets_opted_out
    from {{ ref('int_lead_tiers__decided') }}
    union all
    select
        tenant_id,
        lead_id,
        event_id,
        occurred_at,
        1 as event_order,
        event_kind,
        null,
        case event_kind when 'assigned' then 1 when 'unassigned' then 0 end,
        case when event_kind in ('won', 'lost') then 1 end,
        case event_kind when 'opted_out' then 1 when 'opted_in' then 0 end
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('assigned', 'unassigned', 'won', 'lost', 'opted_out', 'opted_in')
),

numbered as (
    select
        *,
        row_number() over (
            partition by tenant_id, lead_id
            order by occurred_at, event_order, event_kind, event_id
        ) as change_no
    from changes
),

-- The latest setting of a state: the greatest of (number of the change, value), read back as its last digit.
carried as (
    select
        *,
        max(change_no * 2 + sets_hot) over so_far as hot_code,
        max(change_no * 2 + sets_assigned) over so_far as assigned_code,
        max(sets_done) over so_far as done_code,
        max(change_no * 2 + sets_opted_out) over so_far as opted_out_code
    from numbered
    window so_far as (
        partition by tenant_id, lead_id
        order by change_no
        rows between unbounded preceding and current row
    )
),

exposed as (
    select
        *,
        case
            when
                coalesce(hot_code % 2, 0) = 1
                and coalesce(assigned_code % 2, 0) = 0
                and coalesce(done_code, 0) = 0
                and coalesce(opted_out_code % 2, 0) = 0
                then 1
            else 0
        end as is_exposed
    from carried
),

compared as (
    select
        *,
        coalesce(lag(is_exposed) over (partition by tenant_id, lead_id order by change_no), 0) as was_exposed
    from exposed
),

turning_points as (
    select
        *,
        lead(occurred_at) over (partition by tenant_id, lead_id order by change_no) as ended_at,
        lead(event_kind) over (partition by tenant_id, lead_id order by change_no) as end_reason
    from compared
    where is_exposed <> was_exposed
),

final as (
    select
        tenant_id,
        lead_id,
        event_id as trigger_event_id,
        end_reason,
        occurred_at as started_at,
        ended_at
    from turning_points
    where is_exposed = 1
)

select * from final
