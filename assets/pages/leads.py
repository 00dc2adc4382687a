"""Leads: from the first message to won or lost, and what is lost between.

Here belong the funnel, tiers, scores, leaks, routing, replies and recovery. Not here: promises (`sla`), a model's own quality (`models`).
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_NONE = "No lead yet. Leads come from webhooks: drop segments into the inbox, or start “flexoraa up”, then “flexoraa run”."

TOPIC = Topic(
    name="leads",
    title="Leads",
    says="How leads come in, how far they get, who has them, and where they are lost on the way.",
    assets=("marts/dim_leads", "marts/fct_lead_scores", "marts/fct_lead_leaks", "marts/fct_recovery_candidates", "marts/fct_conversations"),
    panels=(
        Panel(
            name="now",
            title="In numbers",
            asks="How many leads are there, and how far did they get?",
            form="figures",
            scope="sums",
            sql="""
select tenant_id, count(*) as leads, count(*) filter (where score is not null) as scored, count(*) filter (where tier = 'HOT') as hot,
    count(*) filter (where stage = 'won') as won, count(*) filter (where stage = 'lost') as lost,
    cast(count(*) filter (where stage = 'won') as double precision)
        / nullif(count(*) filter (where stage in ('won', 'lost')), 0) as won_ratio,
    count(*) filter (where is_opted_out) as opted_out
from marts.dim_leads
group by grouping sets ((tenant_id), ())""",
            columns=(
                _TENANT,
                Column("leads", "Leads", "count"),
                Column("scored", "Scored", "count"),
                Column("hot", "Hot", "count"),
                Column("won", "Won", "count"),
                Column("lost", "Lost", "count"),
                Column("won_ratio", "Won, of the decided", "ratio"),
                Column("opted_out", "Opted out", "count"),
            ),
            empty=_NONE,
        ),
        Panel(
            name="funnel",
            title="Funnel",
            asks="How many leads reached each step at any time? A later step counts as having passed those before it.",
            scope="sums",
            sql="""
with steps as (
    select leads.tenant_id, leads.lead_id,
        case when leads.last_inbound_at is not null then 1 else 0 end as wrote,
        case when scores.best is not null then 1 else 0 end as is_scored,
        case when leads.stage in ('qualified', 'won') or scores.best in ('HOT', 'WARM') then 1 else 0 end as is_warm,
        case when leads.stage in ('qualified', 'won') or scores.best = 'HOT' then 1 else 0 end as is_hot,
        case when leads.stage = 'won' then 1 else 0 end as is_won
    from marts.dim_leads as leads
    left join (
        select tenant_id, lead_id,
            case when max(case when tier = 'HOT' then 1 else 0 end) = 1 then 'HOT'
                when max(case when tier = 'WARM' then 1 else 0 end) = 1 then 'WARM' else 'COLD' end as best
        from marts.fct_lead_scores group by tenant_id, lead_id
    ) as scores on leads.tenant_id = scores.tenant_id and leads.lead_id = scores.lead_id
), funnel as (
    select tenant_id, 1 as step, 'known' as reached, 1 as is_there from steps
    union all select tenant_id, 2, 'wrote to us', greatest(wrote, is_won) from steps
    union all select tenant_id, 3, 'scored', greatest(is_scored, is_won) from steps
    union all select tenant_id, 4, 'warm or better', is_warm from steps
    union all select tenant_id, 5, 'hot or qualified', is_hot from steps
    union all select tenant_id, 6, 'won', is_won from steps
)
select tenant_id, step, reached, sum(is_there) as leads
from funnel
group by grouping sets ((tenant_id, step, reached), (step, reached))
order by tenant_id, step""",
            columns=(_TENANT, Column("step", "Step", "count"), Column("reached", "Reached", "word"), Column("leads", "Leads", "count")),
            chart=Chart("across", "reached", ("leads",)),
            empty=_NONE,
        ),
        Panel(
            name="tiers",
            title="Tiers over time",
            asks="By the tenant's local day: in which tier did changes of score leave leads?",
            scope="sums",
            sql="""
select scores.tenant_id, cast(timezone(tenants.timezone, scores.scored_at) as date) as day, scores.tier, count(*) as changes
from marts.fct_lead_scores as scores
inner join reference.tenants as tenants on scores.tenant_id = tenants.tenant_id
group by grouping sets ((scores.tenant_id, day, scores.tier), (day, scores.tier))
order by scores.tenant_id, day, scores.tier""",
            columns=(_TENANT, Column("day", "Day", "date"), Column("tier", "Tier", facet=True), Column("changes", "Changes", "count")),
            chart=Chart("stack", "day", ("changes",), by="tier", y_title="changes of score"),
            empty="No lead was scored yet.",
        ),
        Panel(
            name="score_and_outcome",
            title="Score against outcome",
            asks="Of leads that were won or lost, what part was won, by the best score before? A useful score climbs from left to right.",
            scope="sums",
            sql="""
with best as (
    select leads.tenant_id, leads.lead_id, leads.stage, max(scores.score) as score
    from marts.dim_leads as leads
    inner join marts.fct_lead_scores as scores on leads.tenant_id = scores.tenant_id and leads.lead_id = scores.lead_id
    group by leads.tenant_id, leads.lead_id, leads.stage
)
select tenant_id, least(cast(floor(score / 10.0) as integer), 9) * 10 as score_from, count(*) as leads,
    count(*) filter (where stage = 'won') as won, count(*) filter (where stage = 'lost') as lost,
    cast(count(*) filter (where stage = 'won') as double precision)
        / nullif(count(*) filter (where stage in ('won', 'lost')), 0) as won_ratio
from best
group by grouping sets ((tenant_id, score_from), (score_from))
order by tenant_id, score_from""",
            columns=(
                _TENANT,
                Column("score_from", "Score from", "count"),
                Column("leads", "Leads", "count"),
                Column("won", "Won", "count", colour="--c1"),
                Column("lost", "Lost", "count", colour="--c6"),
                Column("won_ratio", "Won, of the decided", "ratio"),
            ),
            chart=Chart("bar", "score_from", ("won", "lost"), x_title="best score, in steps of 10", y_title="leads"),
            empty="No scored lead was won or lost yet.",
        ),
        Panel(
            name="hot",
            title="Why a lead is hot",
            asks="The points of each hot lead at its last change, factor by factor; the events are in fct_lead_scores.evidence_event_ids.",
            sql="""
select scores.tenant_id, scores.lead_id, leads.tier, scores.score, scores.intent_points, scores.budget_points, scores.timeline_points,
    scores.engagement_points, scores.signal_points, scores.confidence, leads.stage, coalesce(leads.assigned_to, 'nobody') as assigned_to,
    scores.scored_at
from (
    select *, row_number() over (partition by tenant_id, lead_id order by scored_at desc) as newest from marts.fct_lead_scores
) as scores
inner join marts.dim_leads as leads on scores.tenant_id = leads.tenant_id and scores.lead_id = leads.lead_id
where scores.newest = 1 and leads.tier = 'HOT'
order by scores.score desc, scores.tenant_id, scores.lead_id""",
            columns=(
                _TENANT,
                Column("lead_id", "Lead", "id"),
                Column("tier", "Tier"),
                Column("score", "Score", "count", "of 100"),
                Column("intent_points", "Intent", "count", "30"),
                Column("budget_points", "Budget", "count", "20"),
                Column("timeline_points", "Timeline", "count", "20"),
                Column("engagement_points", "Engagement", "count", "20"),
                Column("signal_points", "Signals", "count", "10"),
                Column("confidence", "Confidence", "ratio"),
                Column("assigned_to", "With", facet=True),
                Column("scored_at", "Scored", "moment"),
            ),
            empty="No lead is hot now.",
        ),
        Panel(
            name="leaks",
            title="Leaks by kind",
            asks="What was not done in time, how often, and how long did it stay so?",
            scope="sums",
            sql="""
select leaks.tenant_id, leaks.kind, count(*) as leaks, count(*) filter (where leaks.closed_at is null) as open_now,
    count(leaks.closed_at) as closed,
    quantile_cont(extract(epoch from leaks.closed_at - leaks.since_at), 0.5) as median_seconds
from marts.fct_lead_leaks as leaks
group by grouping sets ((leaks.tenant_id, leaks.kind), (leaks.kind))
order by leaks.tenant_id, leaks desc, leaks.kind""",
            columns=(
                _TENANT,
                Column("kind", "Kind", "word"),
                Column("leaks", "Ever", "count"),
                Column("closed", "Closed", "count", colour="--c1"),
                Column("open_now", "Open now", "count", colour="--c4"),
                Column("median_seconds", "Median until closed", "seconds"),
            ),
            chart=Chart("across", "kind", ("closed", "open_now"), y_title="leaks"),
            empty="Nothing leaked.",
        ),
        Panel(
            name="load",
            title="Load by person",
            asks="Who has how many open leads? Routing gives the next hot one to the least loaded who works at that hour.",
            sql="""
select tenant_id, assigned_to, count(*) filter (where stage not in ('won', 'lost', 'disqualified')) as open_leads,
    count(*) filter (where tier = 'HOT' and stage not in ('won', 'lost', 'disqualified')) as hot,
    count(*) filter (where stage = 'won') as won, count(*) as ever
from marts.dim_leads
where assigned_to is not null
group by tenant_id, assigned_to
order by open_leads desc, tenant_id, assigned_to""",
            columns=(
                _TENANT,
                Column("assigned_to", "Person"),
                Column("open_leads", "Open", "count"),
                Column("hot", "of them hot", "count"),
                Column("won", "Won", "count"),
                Column("ever", "Ever", "count"),
            ),
            empty="No lead is assigned to anybody.",
        ),
        Panel(
            name="replies",
            title="First reply by channel",
            asks="How long did the first reply of a conversation take?",
            scope="sums",
            sql="""
select tenant_id, channel, count(*) as conversations, count(first_response_seconds) as answered,
    quantile_cont(first_response_seconds, 0.5) as median_seconds, quantile_cont(first_response_seconds, 0.95) as p95_seconds
from marts.fct_conversations
where inbound_count > 0
group by grouping sets ((tenant_id, channel), (channel))
order by tenant_id, channel""",
            columns=(
                _TENANT,
                Column("channel", "Channel", "word"),
                Column("conversations", "Conversations", "count"),
                Column("answered", "Answered", "count"),
                Column("median_seconds", "Median", "seconds"),
                Column("p95_seconds", "95 % within", "seconds"),
            ),
            empty="Nobody wrote yet.",
        ),
        Panel(
            name="recovery",
            title="Recovery of cold leads",
            asks="Of attempts that were due, how many leads wrote again after them?",
            scope="sums",
            sql="""
select attempts.tenant_id, attempts.attempt, count(*) as due,
    count(*) filter (where messages.sent_at is not null) as sent,
    count(*) filter (where messages.sent_at is not null and leads.last_inbound_at > messages.sent_at) as came_back,
    cast(count(*) filter (where messages.sent_at is not null and leads.last_inbound_at > messages.sent_at) as double precision)
        / nullif(count(*) filter (where messages.sent_at is not null), 0) as yield_ratio
from marts.fct_recovery_candidates as attempts
cross join reference.run as run
inner join marts.dim_leads as leads on attempts.tenant_id = leads.tenant_id and attempts.lead_id = leads.lead_id
left join marts.act_requests as requests
    on attempts.tenant_id = requests.tenant_id and attempts.trigger_event_id = requests.trigger and requests.rule = 'cold_recovery'
        and attempts.lead_id = requests.lead_id and attempts.due_at = requests.due_at
left join marts.fct_messages as messages on requests.tenant_id = messages.tenant_id and requests.action_id = messages.action_id
where attempts.due_at <= run.as_of
group by grouping sets ((attempts.tenant_id, attempts.attempt), (attempts.attempt))
order by attempts.tenant_id, attempts.attempt""",
            columns=(
                _TENANT,
                Column("attempt", "Attempt", "count"),
                Column("due", "Due", "count"),
                Column("sent", "Sent", "count"),
                Column("came_back", "Wrote again", "count"),
                Column("yield_ratio", "Yield", "ratio"),
            ),
            empty="No silent lead is due for recovery.",
        ),
    ),
)
