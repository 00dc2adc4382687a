"""SLA: what was promised, and whether it was kept.

Here belong promises by tier, channel, person and hour. Not here: what waits right now in all matters (`today`).
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_MET = Column("met_ratio", "Met", "ratio")
_COUNTS = (
    Column("met", "Kept", "count", colour="--c1"),
    Column("breached", "Broken", "count", colour="--c4"),
    Column("pending", "Open", "count", colour="--c6"),
)
_SUMS = """
    count(*) filter (where verdict = 'met') as met,
    count(*) filter (where verdict = 'breached') as breached,
    count(*) filter (where verdict = 'pending') as pending,
    cast(count(*) filter (where verdict = 'met') as double precision)
        / nullif(count(*) filter (where verdict in ('met', 'breached')), 0) as met_ratio"""
_NONE = "No promise has begun yet. Policies are in the tenants file (“flexoraa tenant apply”); the next run judges them."

TOPIC = Topic(
    name="sla",
    title="SLA",
    says="Every promise of a reply, a hand-over or a resolution has a clock that runs in business time. Kept: stopped by its due moment.",
    assets=("marts/fct_sla_clocks", "marts/fct_sla_intervals"),
    panels=(
        Panel(
            name="now",
            title="In numbers",
            asks="How many promises were kept, of those that came to an end or passed their due moment?",
            form="figures",
            scope="sums",
            sql=f"""
select tenant_id,{_SUMS},
    count(*) filter (where verdict = 'breached' and stopped_at is null) as still_open,
    count(*) filter (where verdict = 'pending' and warn_at <= run.as_of) as soon
from marts.fct_sla_clocks
cross join reference.run as run
group by grouping sets ((tenant_id), ())""",
            columns=(
                _TENANT, _MET, *_COUNTS[:1],
                Column("breached", "Broken", "count", alarm="bad"),
                Column("still_open", "Broken, still no answer", "count", alarm="bad"),
                Column("soon", "Due soon (past 80 %)", "count", alarm="warn"),
                Column("pending", "Open, in time", "count"),
            ),
            empty=_NONE,
        ),
        Panel(
            name="by_day",
            title="Kept by day",
            asks="Is it getting better? By the tenant's local day on which the clock started.",
            scope="sums",
            sql=f"""
select clocks.tenant_id, cast(timezone(tenants.timezone, clocks.started_at) as date) as day,{_SUMS}
from marts.fct_sla_clocks as clocks
inner join reference.tenants as tenants on clocks.tenant_id = tenants.tenant_id
group by grouping sets ((clocks.tenant_id, day), (day))
order by clocks.tenant_id, day""",
            columns=(_TENANT, Column("day", "Day", "date"), _MET, *_COUNTS),
            chart=Chart("stack", "day", ("met", "breached", "pending"), y_title="promises"),
            empty=_NONE,
        ),
        Panel(
            name="by_metric",
            title="By metric and tier",
            asks="Which promise is hardest to keep?",
            scope="sums",
            sql=f"""
select tenant_id, metric, coalesce(tier, 'any') as tier, min(target_seconds) as target_seconds,{_SUMS},
    quantile_cont(elapsed_microseconds, 0.5) filter (where stopped_at is not null) / 1e6 as median_seconds
from marts.fct_sla_clocks
group by grouping sets ((tenant_id, metric, tier), (metric, tier))
order by tenant_id, metric, tier""",
            columns=(
                _TENANT,
                Column("metric", "Metric", "word", facet=True),
                Column("tier", "Tier", facet=True),
                Column("target_seconds", "Target, shortest", "seconds"),
                Column("median_seconds", "Median of the ended", "seconds"),
                _MET, *_COUNTS,
            ),
            empty=_NONE,
        ),
        Panel(
            name="by_hour",
            title="By hour of the day",
            asks="At which hour, in each tenant's own zone, do promises that are then broken begin?",
            scope="sums",
            sql=f"""
select clocks.tenant_id, cast(extract(hour from timezone(tenants.timezone, clocks.started_at)) as integer) as hour,{_SUMS}
from marts.fct_sla_clocks as clocks
inner join reference.tenants as tenants on clocks.tenant_id = tenants.tenant_id
group by grouping sets ((clocks.tenant_id, hour), (hour))
order by clocks.tenant_id, hour""",
            columns=(_TENANT, Column("hour", "Hour", "count", "local"), _MET, *_COUNTS),
            chart=Chart("stack", "hour", ("met", "breached"), y_title="promises"),
            empty=_NONE,
        ),
        Panel(
            name="by_channel",
            title="By channel",
            asks="Where are promises broken?",
            scope="sums",
            sql=f"""
select clocks.tenant_id, coalesce(conversations.channel, 'none') as channel,{_SUMS}
from marts.fct_sla_clocks as clocks
left join marts.fct_conversations as conversations
    on clocks.tenant_id = conversations.tenant_id and clocks.conversation_id = conversations.conversation_id
group by grouping sets ((clocks.tenant_id, conversations.channel), (conversations.channel))
order by clocks.tenant_id, channel""",
            columns=(_TENANT, Column("channel", "Channel", "word"), _MET, *_COUNTS),
            chart=Chart("across", "channel", ("met", "breached", "pending"), y_title="promises"),
            empty=_NONE,
        ),
        Panel(
            name="by_person",
            title="By person",
            asks="Who keeps promises on the leads that they have? Ids as in the tenants file.",
            sql=f"""
select clocks.tenant_id, coalesce(leads.assigned_to, 'nobody') as person,{_SUMS}
from marts.fct_sla_clocks as clocks
left join marts.dim_leads as leads on clocks.tenant_id = leads.tenant_id and clocks.lead_id = leads.lead_id
group by clocks.tenant_id, leads.assigned_to
order by clocks.tenant_id, person""",
            columns=(_TENANT, Column("person", "Person", facet=True), _MET, *_COUNTS),
            empty=_NONE,
        ),
        Panel(
            name="breaches",
            title="Broken promises, newest first",
            asks="Which promises were broken, by how much, and did an answer come after all?",
            sql="""
select clocks.tenant_id, clocks.metric, clocks.tier, clocks.lead_id, clocks.started_at, clocks.due_at, clocks.target_seconds,
    clocks.elapsed_microseconds / 1e6 - clocks.target_seconds as over_seconds,
    case when clocks.stopped_at is null then 'open' else 'met late' end as outcome, clocks.clock_id
from marts.fct_sla_clocks as clocks
where clocks.verdict = 'breached'
order by clocks.due_at desc, clocks.tenant_id, clocks.clock_id""",
            columns=(
                _TENANT,
                Column("metric", "Metric", "word", facet=True),
                Column("tier", "Tier", facet=True),
                Column("lead_id", "Lead", "id"),
                Column("due_at", "Due", "moment"),
                Column("target_seconds", "Target", "seconds"),
                Column("over_seconds", "Too late by (business time)", "seconds"),
                Column("outcome", "Since", "word", facet=True),
            ),
            empty="No promise was broken.",
        ),
    ),
)  # fmt: skip
