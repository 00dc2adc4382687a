"""Privacy: requests of people and their clocks, by surrogate ids only.

Here belong requests, consent and what is erased. Not here: who anybody is: nothing on a page can tell.
"""

from ml.reports.site.parts import Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")

TOPIC = Topic(
    name="privacy",
    title="Privacy",
    says="Requests to see, correct or erase what is held on a person, each within 30 days; consent; what is anonymised. No personal data.",
    assets=("marts/dim_leads", "marts/fct_contact_events", "lake/privacy_requests"),
    panels=(
        Panel(
            name="now",
            title="In numbers",
            asks="How many leads refused further messages, and how many are erased?",
            form="figures",
            scope="sums",
            sql="""
select tenant_id, count(*) as leads, count(*) filter (where is_opted_out) as opted_out, count(*) filter (where is_erased) as erased
from marts.dim_leads
group by grouping sets ((tenant_id), ())""",
            columns=(
                _TENANT,
                Column("leads", "Leads", "count"),
                Column("opted_out", "Opted out", "count"),
                Column("erased", "Asked to be erased", "count"),
            ),
            empty="No lead yet.",
        ),
        Panel(
            name="requests",
            title="Requests and their clocks",
            asks="What was asked for, and how much of the 30 days is left?",
            sql="""
select requests.tenant_id, requests.kind, requests.contact_point_id, requests.occurred_at,
    requests.occurred_at + interval '30 days' as due_at,
    extract(epoch from requests.occurred_at + interval '30 days' - run.as_of) as left_seconds
from staging.stg_lake__privacy_requests as requests
cross join reference.run as run
order by due_at, requests.tenant_id, requests.contact_point_id""",
            columns=(
                _TENANT,
                Column("kind", "Request", "word", facet=True),
                Column("contact_point_id", "Contact point", "id"),
                Column("occurred_at", "Asked", "moment"),
                Column("due_at", "Due", "moment"),
                Column("left_seconds", "Left", "seconds"),
            ),
            empty="Nobody has asked for anything through the platform's feed.",
        ),
        Panel(
            name="consent",
            title="Consent, by what was told",
            asks="Who refused, blocked or allowed us, on which source?",
            scope="sums",
            sql="""
select tenant_id, source, kind, count(*) as events, max(occurred_at) as newest_at
from marts.fct_contact_events
where kind in ('opted_out', 'opted_in', 'blocked', 'unblocked', 'erased')
group by grouping sets ((tenant_id, source, kind), (source, kind))
order by tenant_id, events desc, source, kind""",
            columns=(
                _TENANT,
                Column("source", "Source"),
                Column("kind", "What was told", "word", facet=True),
                Column("events", "Events", "count"),
                Column("newest_at", "Newest", "moment"),
            ),
            empty="Nobody said anything about consent.",
        ),
        Panel(
            name="reads",
            title="Who read raw bodies",
            asks="Reading a body of the quarantine shows personal data; every reading is written down.",
            store="state",
            sql="""
select tenant_id, reader, count(*) as readings, max(read_at) as newest_at
from ops.quarantine_reads
group by tenant_id, reader
order by newest_at desc, tenant_id, reader""",
            columns=(
                _TENANT,
                Column("reader", "Reader"),
                Column("readings", "Readings", "count"),
                Column("newest_at", "Newest", "moment"),
            ),
            empty="Nobody read a raw body.",
        ),
    ),
)
