"""Today: what needs a person now, and nothing else.

Here belong things that somebody should act on. Not here: how the day went (the other pages).
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_NOW = """
select tenant_id, 'service level breached' as matter, 'sla' as page, tier as tier, metric as detail, lead_id as subject, due_at as since_at
from marts.fct_sla_clocks
where verdict = 'breached' and stopped_at is null
union all
select leaks.tenant_id, 'lead leaks', 'leads', leads.tier, leaks.kind, leaks.lead_id, leaks.since_at
from marts.fct_lead_leaks as leaks
inner join marts.dim_leads as leads on leaks.tenant_id = leads.tenant_id and leaks.lead_id = leads.lead_id
where leaks.closed_at is null
union all
select tenant_id, 'hot lead waits', 'leads', tier, case when assigned_to is null then 'nobody has it' else 'wrote last' end, lead_id,
    last_inbound_at
from marts.dim_leads
where tier = 'HOT' and stage not in ('won', 'lost', 'disqualified') and not is_opted_out and not is_erased
    and (assigned_to is null or last_outbound_at is null or last_inbound_at > last_outbound_at)
"""

TOPIC = Topic(
    name="today",
    title="Today",
    says="What needs a person now. Each number leads to the page that explains it; what is not listed here can wait.",
    assets=("marts/fct_sla_clocks", "marts/fct_lead_leaks", "marts/dim_leads", "ops/outbox", "ops/experiment_kills"),
    panels=(
        Panel(
            name="counts",
            title="In numbers",
            asks="How many matters wait for somebody at this moment?",
            form="figures",
            scope="sums",
            sql=f"""
with waiting as ({_NOW.strip()})
select tenants.tenant_id,
    count(*) filter (where matter = 'service level breached') as breaches,
    count(*) filter (where matter = 'lead leaks') as leaks,
    count(*) filter (where matter = 'hot lead waits') as hot_waiting
from reference.tenants as tenants
left join waiting on tenants.tenant_id = waiting.tenant_id
group by grouping sets ((tenants.tenant_id), ())""",
            columns=(
                _TENANT,
                Column("breaches", "Service levels broken, still no answer", "count", alarm="bad", link="sla"),
                Column("leaks", "Leaks open", "count", alarm="warn", link="leads"),
                Column("hot_waiting", "Hot leads waiting", "count", alarm="bad", link="leads"),
            ),
        ),
        Panel(
            name="waiting",
            title="Who waits, longest first",
            asks="Which leads wait for us, for what, and since when?",
            sql=f"""
select tenant_id, matter, tier, detail, subject, since_at, extract(epoch from run.as_of - since_at) as waiting_seconds
from ({_NOW.strip()}) as waiting
cross join reference.run as run
order by since_at, tenant_id, subject, matter""",
            columns=(
                _TENANT,
                Column("matter", "Matter", "word", facet=True),
                Column("tier", "Tier", facet=True),
                Column("detail", "Detail", "word", facet=True),
                Column("subject", "Lead", "id"),
                Column("since_at", "Since", "moment"),
                Column("waiting_seconds", "Waiting", "seconds"),
            ),
            empty="Nobody waits. Nothing to do here.",
        ),
        Panel(
            name="accounts",
            title="Accounts that may not send, or soon may not",
            asks="Which of our numbers, templates and accounts did the vendor last tell something bad about?",
            sql="""
select tenant_id, account_id, kind, coalesce(subject, '') as subject, state, occurred_at
from (
    select tenant_id, account_id, kind, subject, state, occurred_at,
        row_number() over (partition by tenant_id, account_id, kind, subject order by occurred_at desc, event_id desc) as newest
    from marts.fct_account_events
    where kind in ('account_update', 'phone_number_quality_update', 'message_template_status_update', 'account_alerts')
) as news
where newest = 1 and state in (
    'DISABLE', 'SCHEDULE_FOR_DISABLE', 'ACCOUNT_RESTRICTION', 'ACCOUNT_VIOLATION', 'ACCOUNT_DELETED', 'DISABLED_UPDATE', 'FLAGGED',
    'DOWNGRADE', 'RED', 'PAUSED', 'DISABLED', 'REJECTED'
)
order by occurred_at desc, tenant_id, account_id, kind""",
            columns=(
                _TENANT,
                Column("account_id", "Account", "id"),
                Column("kind", "What the vendor told", "word"),
                Column("subject", "About", "id"),
                Column("state", "State", "word"),
                Column("occurred_at", "Told", "moment"),
            ),
            empty="No account, number or template is suspended, restricted, flagged or paused.",
        ),
        Panel(
            name="wallets",
            title="Wallets that run out within 7 days",
            asks="Who has no tokens left, or soon none?",
            sql="""
select forecasts.tenant_id, coalesce(forecasts.reason, 'runs out') as verdict, forecasts.balance_tokens, forecasts.daily_tokens,
    forecasts.runs_out_at, forecasts.runs_out_earliest_at, forecasts.runs_out_latest_at
from marts.fct_token_forecasts as forecasts
cross join reference.run as run
where forecasts.reason = 'nothing_left' or forecasts.runs_out_at < run.as_of + interval '7 days'
order by forecasts.runs_out_at, forecasts.tenant_id""",
            columns=(
                _TENANT,
                Column("verdict", "Verdict", "word"),
                Column("balance_tokens", "Balance", "tokens", "tokens"),
                Column("daily_tokens", "Used a day", "number", "tokens"),
                Column("runs_out_at", "Runs out", "moment"),
                Column("runs_out_earliest_at", "earliest (95 %)", "moment"),
                Column("runs_out_latest_at", "latest (95 %)", "moment"),
            ),
            empty="Every wallet lasts longer than 7 days at the pace of the last weeks.",
        ),
        Panel(
            name="kills",
            title="Experiments that were stopped",
            asks="Which experiments serve control to everybody until a manager resumes them?",
            store="state",
            sql="""
select tenant_id, experiment_id, verdict, cause, reason, decided_by, decided_at
from (
    select *, row_number() over (partition by tenant_id, experiment_id order by number desc) as newest from ops.experiment_verdicts
) as verdicts
where newest = 1 and verdict = 'killed'
order by decided_at desc, tenant_id, experiment_id""",
            columns=(
                _TENANT,
                Column("experiment_id", "Experiment", link="experiments/{tenant_id}--{experiment_id}.html"),
                Column("verdict", "Verdict", "word"),
                Column("cause", "Cause", "word"),
                Column("reason", "Why"),
                Column("decided_by", "Decided by"),
                Column("decided_at", "When", "moment"),
            ),
            empty="No experiment is stopped.",
        ),
        Panel(
            name="actions",
            title="Actions that nobody can be sure of",
            asks="Which actions were refused by the other side, or have an outcome that nobody knows?",
            store="state",
            sql="""
select tenant_id, rule, channel, state, count(*) as actions, min(due_at) as oldest_at, max(reason) as reason
from ops.outbox
where state in ('unknown', 'rejected')
group by tenant_id, rule, channel, state
order by state desc, oldest_at, tenant_id, rule""",
            columns=(
                _TENANT,
                Column("rule", "Rule", "word", facet=True),
                Column("channel", "Channel", "word"),
                Column("state", "State", "word", facet=True),
                Column("actions", "Actions", "count"),
                Column("oldest_at", "Oldest due", "moment"),
                Column("reason", "Reason"),
            ),
            empty="Every action that was tried is either sent or waits for its next try.",
        ),
        Panel(
            name="burning",
            title="Services that burn their error budget",
            asks="Which services use up their error budget faster than they may?",
            sql="""
select tenant_id, service, health_date, uptime_ratio, error_ratio, burn_rate, budget_left_ratio
from (
    select *, row_number() over (partition by tenant_id, service order by health_date desc) as newest from marts.fct_service_health
) as days
where newest = 1 and (burn_rate > 1 or budget_left_ratio < 0)
order by budget_left_ratio, tenant_id, service""",
            columns=(
                _TENANT,
                Column("service", "Service", "word", facet=True),
                Column("health_date", "Day (UTC)", "date"),
                Column("uptime_ratio", "Up", "ratio"),
                Column("error_ratio", "Errors", "ratio"),
                Column("burn_rate", "Burn rate", "number", "× budget"),
                Column("budget_left_ratio", "Budget left", "ratio"),
            ),
            empty="Every service is within its error budget.",
        ),
        Panel(
            name="drift",
            title="Models that drifted",
            asks="Which model's newest week is critical?",
            sql="""
select tenant_id, model, version, week_date, severity, state, reason
from (
    select *, row_number() over (partition by tenant_id, model, version order by week_date desc) as newest from marts.fct_model_performance
) as weeks
where newest = 1 and severity = 'critical'
order by week_date desc, tenant_id, model""",
            columns=(
                _TENANT,
                Column("model", "Model"),
                Column("version", "Version", "count"),
                Column("week_date", "Week", "date"),
                Column("severity", "Severity", "word"),
                Column("state", "State", "word"),
                Column("reason", "Why"),
            ),
            later="No model is in service in this installation.",
            empty="No model's newest week is critical.",
        ),
        Panel(
            name="people",
            title="Requests about personal data",
            asks="Which are open, those that are due first? 30 days are the law's.",
            store="state",
            sql="""
select tenant_id, request_id, kind, state, case when is_late then 'overdue' else 'open' end as clock, due_at
from ops.privacy_requests
where closed_at is null
order by due_at, tenant_id, request_id""",
            columns=(
                _TENANT,
                Column("request_id", "Request", "id"),
                Column("kind", "Kind", "word"),
                Column("state", "State", "word"),
                Column("clock", "Clock", "word"),
                Column("due_at", "Due", "moment"),
            ),
            later="This version keeps no requests of its own.",
            empty="No request is open.",
        ),
        Panel(
            name="by_tenant",
            title="By tenant",
            asks="Whose matters are they?",
            scope="tenants",
            sql=f"""
select tenant_id, matter, count(*) as matters
from ({_NOW.strip()}) as waiting
group by tenant_id, matter
order by tenant_id, matter""",
            columns=(_TENANT, Column("matter", "Matter", "word"), Column("matters", "Matters", "count")),
            chart=Chart("across", "tenant_id", ("matters",), by="matter", y_title="matters that wait"),
            empty="Nobody waits at any tenant.",
        ),
    ),
)
