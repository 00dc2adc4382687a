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
            asks="What was asked for, where does it stand, and how much of the 30 days is left? Who it is about, no page knows.",
            store="state",
            sql="""
select tenant_id, request_id, kind, origin, state, is_late, requested_at, due_at, closed_at,
    case when closed_at is not null then 'closed' when is_late then 'overdue' else 'open' end as clock,
    extract(epoch from coalesce(closed_at, due_at) - requested_at)::float8 as clock_seconds
from ops.privacy_requests
order by closed_at nulls first, due_at, tenant_id, request_id""",
            columns=(
                _TENANT,
                Column("request_id", "Request", "id"),
                Column("kind", "Kind", "word", facet=True),
                Column("origin", "Came by", "word"),
                Column("state", "State", "word", facet=True),
                Column("clock", "Clock", "word", facet=True),
                Column("requested_at", "Asked", "moment"),
                Column("due_at", "Due", "moment"),
                Column("closed_at", "Closed", "moment"),
                Column("clock_seconds", "Took, or may take", "seconds"),
            ),
            later="This version keeps no requests of its own: those of the platform's feed are in the lake's privacy_requests.",
            empty="Nobody has asked for anything.",
        ),
        Panel(
            name="certificates",
            title="Certificates of erasure",
            asks="What did the verifier find in the bytes of every store? A request with a hit stays open.",
            store="state",
            sql="""
select tenant_id, request_id, number, hits, made_at
from ops.privacy_certificates
order by made_at desc, tenant_id, request_id, number""",
            columns=(
                _TENANT,
                Column("request_id", "Request", "id"),
                Column("number", "Number", "count"),
                Column("hits", "Hits", "count"),
                Column("made_at", "Made", "moment"),
            ),
            later="This version issues none.",
            empty="No erasure was verified yet.",
        ),
        Panel(
            name="audit",
            title="Audit log by deed",
            asks="How much is in the log that nobody can change unnoticed? “flexoraa audit verify” proves it.",
            store="state",
            sql="""
select tenant_id, action, count(*) as entries, max(recorded_at) as newest_at
from ops.audit_log
group by tenant_id, action
order by newest_at desc, tenant_id, action""",
            columns=(
                _TENANT,
                Column("action", "Deed", "word", facet=True),
                Column("entries", "Entries", "count"),
                Column("newest_at", "Newest", "moment"),
            ),
            later="This version keeps none.",
            empty="Nothing was decided or read yet.",
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
