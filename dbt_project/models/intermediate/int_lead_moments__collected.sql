-- One row per lead and instant at which its score may change, also one to come: an inbound message, a turn of the assistant, a step of
-- fading recency.
{{ config(materialized='incremental', meta={'scope': 'lead', 'changes_at': ['scored_at']}) }}
with messages as (
    select
        tenant_id,
        lead_id,
        event_id,
        event_kind,
        occurred_at,
        lag(event_kind) over (partition by tenant_id, lead_id order by occurred_at, event_order, event_id) as previous_kind,
        lag(occurred_at) over (partition by tenant_id, lead_id order by occurred_at, event_order, event_id) as previous_at
    from {{ ref('int_lead_events__sequenced') }}
    where event_kind in ('inbound', 'outbound')
),

inbound as (
    select
        tenant_id,
        lead_id,
        occurred_at as scored_at,
        count(*) as inbound_count,
        max(event_id) as inbound_event_id,
        max(case when previous_kind = 'outbound' then event_id end) as reply_event_id,
        max(case
            when previous_kind = 'outbound'
                then {{ microseconds('occurred_at') }} - {{ microseconds('previous_at') }}
        end) as reply_microseconds
    from messages
    where event_kind = 'inbound'
    group by tenant_id, lead_id, occurred_at
),

turns as (
    select
        tenant_id,
        lead_id,
        occurred_at as scored_at,
        max(event_id) as turn_event_id
    from {{ ref('int_ai_turns__identified') }}
    where lead_id is not null
    group by tenant_id, lead_id, occurred_at
),

followed as (
    select
        *,
        lead(scored_at) over (partition by tenant_id, lead_id order by scored_at) as next_inbound_at
    from inbound
),

faded as (
    select
        followed.tenant_id,
        followed.lead_id,
        followed.next_inbound_at,
        levels.valid_from,
        levels.valid_to,
        {{ add_seconds('followed.scored_at', 'levels.lower_bound') }} as scored_at,
        followed.inbound_event_id || '+' || cast(levels.lower_bound as {{ text_type() }}) as fading_id
    from followed
    inner join {{ ref('scoring_levels') }} as levels
        on levels.factor = 'recency' and levels.lower_bound > 0
),

fadings as (
    select
        faded.tenant_id,
        faded.lead_id,
        faded.scored_at,
        max(faded.fading_id) as fading_id
    from faded
    where
        {{ is_valid_at('faded', 'faded.scored_at') }}
        and (faded.next_inbound_at is null or faded.scored_at < faded.next_inbound_at)
    group by faded.tenant_id, faded.lead_id, faded.scored_at
),

instants as (
    select tenant_id, lead_id, scored_at from inbound
    union
    select tenant_id, lead_id, scored_at from turns
    union
    select tenant_id, lead_id, scored_at from fadings
),

gathered as (
    select
        instants.tenant_id,
        instants.lead_id,
        instants.scored_at,
        coalesce(inbound.inbound_count, 0) as inbound_count,
        inbound.inbound_event_id,
        inbound.reply_event_id,
        inbound.reply_microseconds,
        turns.turn_event_id,
        coalesce(turns.turn_event_id, inbound.inbound_event_id, fadings.fading_id) as trigger_event_id,
        case when inbound.inbound_event_id is not null then instants.scored_at end as inbound_at
    from instants
    left join inbound
        on
            instants.tenant_id = inbound.tenant_id
            and instants.lead_id = inbound.lead_id
            and instants.scored_at = inbound.scored_at
    left join turns
        on
            instants.tenant_id = turns.tenant_id
            and instants.lead_id = turns.lead_id
            and instants.scored_at = turns.scored_at
    left join fadings
        on
            instants.tenant_id = fadings.tenant_id
            and instants.lead_id = fadings.lead_id
            and instants.scored_at = fadings.scored_at
),

-- A count that grows with each known value numbers the stretch in which that value is the latest.
counted as (
    select
        *,
        count(inbound_event_id) over so_far as inbound_no,
        count(reply_event_id) over so_far as reply_no,
        count(turn_event_id) over so_far as turn_no,
        sum(inbound_count) over (
            partition by tenant_id, lead_id
            order by {{ microseconds('scored_at') }}
            range between 604799999999 preceding and current row
        ) as inbound_count_7d
    from gathered
    window so_far as (
        partition by tenant_id, lead_id
        order by scored_at
        rows between unbounded preceding and current row
    )
),

final as (
    select
        tenant_id,
        lead_id,
        trigger_event_id,
        max(inbound_event_id) over (partition by tenant_id, lead_id, inbound_no) as last_inbound_event_id,
        max(reply_event_id) over (partition by tenant_id, lead_id, reply_no) as last_reply_event_id,
        max(turn_event_id) over (partition by tenant_id, lead_id, turn_no) as last_turn_event_id,
        cast(inbound_count_7d as bigint) as inbound_count_7d,
        max(reply_microseconds) over (partition by tenant_id, lead_id, reply_no) as reply_microseconds,
        scored_at,
        max(inbound_at) over (partition by tenant_id, lead_id, inbound_no) as last_inbound_at
    from counted
)

select * from final
