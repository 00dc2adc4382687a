-- One row per service and UTC day since its first heartbeat (without one: each day with requests): how long it was up, of how long.
with bounds as (
    -- whole minutes, so that the day that is not over does not change by itself
    select
        {{ whole_division(microseconds('as_of'), '86400000000') }} as as_of_day_no,
        {{ whole_division(microseconds('as_of'), '60000000') }} * 60000000 as until_us
    from {{ source('reference', 'run') }}
),

events as (
    select
        tenant_id,
        service,
        event_id,
        kind,
        is_ok,
        occurred_at
    from {{ ref('stg_lake__service_events') }}
),

heartbeats as (
    select
        events.tenant_id,
        events.service,
        events.event_id,
        events.is_ok,
        {{ microseconds('events.occurred_at') }} as beat_us,
        lead({{ microseconds('events.occurred_at') }}) over (
            partition by events.tenant_id, events.service
            order by events.occurred_at, events.event_id
        ) as next_us,
        min({{ microseconds('events.occurred_at') }}) over (partition by events.tenant_id, events.service) as first_us,
        objectives.grace_seconds,
        row_number() over (
            partition by events.tenant_id, events.service, events.event_id
            order by case when objectives.service <> '' then 0 else 1 end
        ) as choice_no
    from events
    inner join {{ ref('service_objectives') }} as objectives
        on
            coalesce(objectives.service, '') in ('', events.service)
            and {{ is_valid_at('objectives', 'events.occurred_at') }}
    where events.kind = 'heartbeat'
),

-- A good sign of life holds until the next sign, at most for the grace.
up as (
    select
        heartbeats.tenant_id,
        heartbeats.service,
        {{ whole_division('heartbeats.beat_us', '86400000000') }} as day_no,
        heartbeats.beat_us as from_us,
        least(heartbeats.next_us, heartbeats.beat_us + heartbeats.grace_seconds * 1000000, bounds.until_us) as to_us
    from heartbeats
    cross join bounds
    where heartbeats.is_ok and heartbeats.choice_no = 1 and heartbeats.beat_us < bounds.until_us
),

-- A grace is shorter than a day, so it reaches at most into the next one.
pieces as (
    select tenant_id, service, day_no, least(to_us, (day_no + 1) * 86400000000) - from_us as up_us from up
    union all
    select tenant_id, service, day_no + 1 as day_no, to_us - (day_no + 1) * 86400000000 as up_us from up
    where to_us > (day_no + 1) * 86400000000
),

up_days as (
    select tenant_id, service, day_no, sum(up_us) as up_us from pieces
    group by tenant_id, service, day_no
),

digits as (
    {% for digit in range(10) %}
        select {{ digit }} as digit
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

numbers as (
    select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

services as (
    select
        tenant_id,
        service,
        min(first_us) as first_us,
        min({{ whole_division('first_us', '86400000000') }}) as first_day_no
    from heartbeats
    group by tenant_id, service
),

days as (
    select
        services.tenant_id,
        services.service,
        services.first_day_no + numbers.number as day_no
    from services
    cross join bounds
    inner join numbers
        on services.first_day_no + numbers.number <= bounds.as_of_day_no
    union
    select tenant_id, service, {{ whole_division(microseconds('occurred_at'), '86400000000') }} as day_no
    from events
),

watched as (
    select
        days.tenant_id,
        days.service,
        days.day_no,
        case
            when services.first_us is null then 0
            else greatest(
                least((days.day_no + 1) * 86400000000, bounds.until_us) - greatest(days.day_no * 86400000000, services.first_us), 0
            )
        end as watched_us
    from days
    cross join bounds
    left join services
        on
            days.tenant_id = services.tenant_id
            and days.service = services.service
),

final as (
    select
        watched.tenant_id,
        watched.service,
        watched.day_no,
        {{ local_date(from_microseconds('watched.day_no * 86400000000'), "'UTC'") }} as health_date,
        watched.watched_us,
        coalesce(up_days.up_us, 0) as up_us
    from watched
    left join up_days
        on
            watched.tenant_id = up_days.tenant_id
            and watched.service = up_days.service
            and watched.day_no = up_days.day_no
)

select * from final
