"""Platform: whether everything that came in is accounted for, how fresh it is, and whether the services hold.

Here belong the platform's own numbers. Not here: what they mean for leads or money (the other pages).
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")

TOPIC = Topic(
    name="platform",
    title="Platform",
    says="Received = accepted + rejected + replayed, for every segment, tenant and source; what is rejected is in quarantine.",
    assets=("lake/messages", "marts/fct_service_health", "ops/outbox", "ops/deliveries", "serving/marts"),
    panels=(
        Panel(
            name="conservation",
            title="Events by source",
            asks="Is every event that came in accounted for? The difference must be 0; a blocking check stops the run where it is not.",
            scope="sums",
            store="state",
            sql="""
select tenant_id, case when source = '' then 'unknown' else source end as source, sum(received)::bigint as received,
    sum(accepted)::bigint as accepted, sum(rejected)::bigint as rejected, sum(replayed)::bigint as replayed,
    sum(received - accepted - rejected - replayed)::bigint as difference, sum(accepted)::float8 / nullif(sum(received), 0) as accepted_ratio
from ops.segment_counts
group by grouping sets ((tenant_id, source), (source))
order by tenant_id, source""",
            columns=(
                _TENANT,
                Column("source", "Source"),
                Column("received", "Received", "count"),
                Column("accepted", "Accepted", "count", colour="--c1"),
                Column("rejected", "Rejected", "count", colour="--c4"),
                Column("replayed", "Replayed", "count", colour="--c2"),
                Column("difference", "Difference", "count"),
                Column("accepted_ratio", "Accepted", "ratio"),
            ),
            chart=Chart("across", "source", ("accepted", "rejected", "replayed"), y_title="events"),
            empty="Nothing was taken in yet. Drop segments into the inbox and start “flexoraa run”, or let “flexoraa up” receive webhooks.",
        ),
        Panel(
            name="quarantine",
            title="Quarantine by reason",
            asks="What could not be taken in, and why? “flexoraa quarantine list” shows the entries, the runbook says whose move it is.",
            store="state",
            sql="""
select tenant_id, source, reason, state, count(*) as entries, min(received_at) as oldest_at, max(received_at) as newest_at
from ops.quarantine
group by tenant_id, source, reason, state
order by entries desc, tenant_id, source, reason, state""",
            columns=(
                _TENANT,
                Column("source", "Source", facet=True),
                Column("reason", "Reason", "word", facet=True),
                Column("state", "State", "word", facet=True),
                Column("entries", "Entries", "count"),
                Column("oldest_at", "Oldest received", "moment"),
                Column("newest_at", "Newest received", "moment"),
            ),
            empty="The quarantine is empty.",
        ),
        Panel(
            name="freshness",
            title="Freshness of sources",
            asks="When did each source last tell of something? A silent source is a broken hook or a quiet day.",
            sql="""
with heard as (
    select tenant_id, channel as source, sent_at as at from marts.fct_messages
    union all select tenant_id, source, occurred_at from marts.fct_contact_events
    union all select tenant_id, source, occurred_at from marts.fct_account_events
)
select heard.tenant_id, heard.source, max(heard.at) as newest_at, max(extract(epoch from run.as_of - heard.at)) as ever_seconds,
    min(extract(epoch from run.as_of - heard.at)) as silent_seconds, count(*) as events
from heard
cross join reference.run as run
where heard.at <= run.as_of
group by heard.tenant_id, heard.source
order by silent_seconds desc, heard.tenant_id, heard.source""",
            columns=(
                _TENANT,
                Column("source", "Source or channel", facet=True),
                Column("newest_at", "Newest event", "moment"),
                Column("silent_seconds", "Silent for", "seconds"),
                Column("events", "Events", "count"),
            ),
            empty="No source has told of anything yet.",
        ),
        Panel(
            name="health",
            title="Services against their objective",
            asks="Were the services up, and how much of the error budget is left on the newest day?",
            sql="""
select tenant_id, service, health_date, uptime_ratio, error_ratio, latency_p50_seconds, latency_p95_seconds, latency_p99_seconds, burn_rate,
    budget_left_ratio, case when budget_left_ratio < 0 then 'overdrawn' when burn_rate > 1 then 'burning' else 'within' end as verdict
from (
    select *, row_number() over (partition by tenant_id, service order by health_date desc) as newest from marts.fct_service_health
) as days
where newest = 1
order by budget_left_ratio, tenant_id, service""",
            columns=(
                _TENANT,
                Column("service", "Service", facet=True),
                Column("health_date", "Day (UTC)", "date"),
                Column("uptime_ratio", "Up", "ratio"),
                Column("error_ratio", "Errors", "ratio"),
                Column("latency_p50_seconds", "p50", "seconds"),
                Column("latency_p95_seconds", "p95", "seconds"),
                Column("latency_p99_seconds", "p99", "seconds"),
                Column("burn_rate", "Burn rate", "number", "× budget"),
                Column("budget_left_ratio", "Budget left", "ratio"),
                Column("verdict", "Verdict", "word", facet=True),
            ),
            empty="No service sent a heartbeat or a request yet.",
        ),
        Panel(
            name="uptime",
            title="Uptime by day",
            asks="Worst service of each tenant, against 99.9 %.",
            sql="""
select tenant_id, health_date, min(uptime_ratio) as uptime_ratio, max(error_ratio) as error_ratio,
    max(latency_p95_seconds) as latency_p95_seconds
from marts.fct_service_health
group by tenant_id, health_date
order by tenant_id, health_date""",
            columns=(
                _TENANT,
                Column("health_date", "Day (UTC)", "date"),
                Column("uptime_ratio", "Up", "ratio"),
                Column("error_ratio", "Errors", "ratio"),
                Column("latency_p95_seconds", "p95", "seconds"),
            ),
            chart=Chart("line", "health_date", ("uptime_ratio",), by="tenant_id", mark=99.9),
            empty="No service sent a heartbeat yet.",
        ),
        Panel(
            name="actions",
            title="Actions by rule and state",
            asks="What was wanted, and what became of it?",
            store="state",
            sql="""
select tenant_id, rule, channel, state, count(*) as actions, max(updated_at) as newest_at
from ops.outbox
group by tenant_id, rule, channel, state
order by tenant_id, rule, channel, state""",
            columns=(
                _TENANT,
                Column("rule", "Rule", "word", facet=True),
                Column("channel", "Channel", "word", facet=True),
                Column("state", "State", "word", facet=True),
                Column("actions", "Actions", "count"),
                Column("newest_at", "Last change", "moment"),
            ),
            empty="No action was wanted yet.",
        ),
        Panel(
            name="outcomes",
            title="Actions by state",
            asks="Sent, refused, expired, unknown: how many of each rule?",
            scope="sums",
            store="state",
            sql="""
select tenant_id, rule, state, count(*) as actions
from ops.outbox
group by grouping sets ((tenant_id, rule, state), (rule, state))
order by tenant_id, rule, state""",
            columns=(_TENANT, Column("rule", "Rule", "word"), Column("state", "State", "word"), Column("actions", "Actions", "count")),
            chart=Chart("across", "rule", ("actions",), by="state"),
            empty="No action was wanted yet.",
        ),
        Panel(
            name="held",
            title="Segments that are held whole",
            asks="Which files of the inbox wait because too much of them was broken?",
            scope="platform",
            store="state",
            sql="""
select substr(segment_id, 1, 16) as segment, state, size_bytes, held_at
from ops.held_segments
where state = 'held'
order by held_at""",
            columns=(
                Column("segment", "Segment", "id"),
                Column("state", "State", "word"),
                Column("size_bytes", "Size", "count", "bytes"),
                Column("held_at", "Since", "moment"),
            ),
            empty="No segment is held.",
        ),
        Panel(
            name="intake",
            title="Intake by day",
            asks="How much was taken in?",
            scope="platform",
            store="state",
            sql="""
select (ingested_at at time zone 'UTC')::date as day, count(*) as segments, sum(line_count)::bigint as lines,
    sum(size_bytes)::bigint as bytes
from ops.segments
group by 1
order by 1""",
            columns=(
                Column("day", "Day (UTC)", "date"),
                Column("segments", "Segments", "count"),
                Column("lines", "Lines", "count"),
                Column("bytes", "Size", "count", "bytes"),
            ),
            empty="Nothing was taken in yet.",
        ),
    ),
)
