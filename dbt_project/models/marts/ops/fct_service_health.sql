-- One row per service and UTC day: whether it was up and answered, and what is left of its error budget.
with requests as (
    select
        tenant_id,
        service,
        kind,
        is_ok,
        latency_seconds,
        {{ whole_division(microseconds('occurred_at'), '86400000000') }} as day_no,
        case when kind = 'request' then latency_seconds end as request_latency_seconds
    from {{ ref('stg_lake__service_events') }}
),

-- The nearest rank: the value at place ceil(n * p / 100) from below, a latency that was measured and no mean of two.
ranked as (
    select
        tenant_id,
        service,
        day_no,
        request_latency_seconds,
        row_number() over (partition by tenant_id, service, day_no order by request_latency_seconds) as rank_no,
        count(*) over (partition by tenant_id, service, day_no) as latency_count
    from requests
    where request_latency_seconds is not null
),

latencies as (
    select
        tenant_id,
        service,
        day_no,
        max(case when rank_no = {{ whole_division('latency_count * 50 + 99', '100') }} then request_latency_seconds end) as p50_seconds,
        max(case when rank_no = {{ whole_division('latency_count * 95 + 99', '100') }} then request_latency_seconds end) as p95_seconds,
        max(case when rank_no = {{ whole_division('latency_count * 99 + 99', '100') }} then request_latency_seconds end) as p99_seconds
    from ranked
    group by tenant_id, service, day_no
),

answers as (
    select
        tenant_id,
        service,
        day_no,
        sum(case when kind = 'heartbeat' then 1 else 0 end) as heartbeat_count,
        sum(case when kind = 'heartbeat' then 0 else 1 end) as request_count,
        sum(case when kind = 'error' or (kind = 'request' and not is_ok) then 1 else 0 end) as error_count
    from requests
    group by tenant_id, service, day_no
),

-- The objective that is valid when the day begins.
objectives as (
    select
        judged.*,
        objectives.uptime_ppm,
        objectives.budget_days,
        cast(objectives.budget_days * 86400 as bigint) * (1000000 - objectives.uptime_ppm) as budget_us,
        row_number() over (
            partition by judged.tenant_id, judged.service, judged.day_no
            order by case when objectives.service <> '' then 0 else 1 end
        ) as choice_no
    from {{ ref('int_service_days__measured') }} as judged
    inner join {{ ref('service_objectives') }} as objectives
        on
            coalesce(objectives.service, '') in ('', judged.service)
            and {{ is_valid_at('objectives', from_microseconds('judged.day_no * 86400000000')) }}
),

spent as (
    select
        judged.tenant_id,
        judged.service,
        judged.day_no,
        sum(earlier.watched_us - earlier.up_us) as spent_us
    from objectives as judged
    inner join {{ ref('int_service_days__measured') }} as earlier
        on
            judged.tenant_id = earlier.tenant_id
            and judged.service = earlier.service
            and judged.day_no >= earlier.day_no
            and judged.day_no < earlier.day_no + judged.budget_days
    where judged.choice_no = 1
    group by judged.tenant_id, judged.service, judged.day_no
),

measured as (
    select
        judged.tenant_id,
        judged.service,
        judged.health_date,
        judged.watched_us,
        judged.up_us,
        judged.watched_us - judged.up_us as down_us,
        judged.budget_us,
        {{ from_microseconds('judged.day_no * 86400000000') }} as began_at,
        spent.spent_us,
        coalesce(answers.heartbeat_count, 0) as heartbeat_count,
        coalesce(answers.request_count, 0) as request_count,
        coalesce(answers.error_count, 0) as error_count,
        latencies.p50_seconds,
        latencies.p95_seconds,
        latencies.p99_seconds,
        cast(judged.up_us as {{ double_type() }}) / nullif(judged.watched_us, 0) as uptime_ratio,
        cast(answers.error_count as {{ double_type() }}) / nullif(answers.request_count, 0) as error_ratio,
        cast(judged.watched_us - judged.up_us as {{ double_type() }})
        * 1000000 / nullif(judged.watched_us * (1000000 - judged.uptime_ppm), 0) as burn_rate,
        1 - cast(spent.spent_us as {{ double_type() }}) / nullif(judged.budget_us, 0) as budget_left_ratio,
        cast(judged.watched_us as {{ double_type() }}) / 1000000 as watched_seconds,
        cast(judged.watched_us - judged.up_us as {{ double_type() }}) / 1000000 as down_seconds
    from objectives as judged
    inner join spent
        on
            judged.tenant_id = spent.tenant_id
            and judged.service = spent.service
            and judged.day_no = spent.day_no
    left join answers
        on
            judged.tenant_id = answers.tenant_id
            and judged.service = answers.service
            and judged.day_no = answers.day_no
    left join latencies
        on
            judged.tenant_id = latencies.tenant_id
            and judged.service = latencies.service
            and judged.day_no = latencies.day_no
    where judged.choice_no = 1
)

select
    tenant_id,

    service,

    cast(heartbeat_count as bigint) as heartbeat_count,
    cast(request_count as bigint) as request_count,
    cast(error_count as bigint) as error_count,
    watched_seconds,
    down_seconds,
    uptime_ratio,
    error_ratio,
    p50_seconds as latency_p50_seconds,
    p95_seconds as latency_p95_seconds,
    p99_seconds as latency_p99_seconds,
    burn_rate,
    case when watched_us > 0 then budget_left_ratio end as budget_left_ratio,
    cast(down_us as bigint) as down_us,
    cast(spent_us as bigint) as spent_us,
    cast(budget_us as bigint) as budget_us,

    health_date,
    began_at
from measured
