"""Models: what is served, what it is made from, and whether it still holds.

Here belong features, predictions and performance over time. Not here: a model's card and a week's drift report, which have their own pages.
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_LATER = "No model is registered in this installation: scores come from the five factors alone (see Leads)."

TOPIC = Topic(
    name="models",
    title="Models",
    says="Champions and challengers, what they are fed and how well they do as the truth arrives.",
    assets=("marts/ftr_leads",),
    panels=(
        Panel(
            name="predictions",
            title="Predictions by version",
            asks="Which version scored how many leads?",
            sql="""
select tenant_id, model_version, count(*) as predictions, count(distinct lead_id) as leads, avg(probability) as mean_probability,
    max(predicted_at) as newest_at
from marts.fct_predictions
group by tenant_id, model_version
order by newest_at desc, tenant_id, model_version""",
            columns=(
                _TENANT,
                Column("model_version", "Version", facet=True),
                Column("predictions", "Predictions", "count"),
                Column("leads", "Leads", "count"),
                Column("mean_probability", "Mean probability", "ratio"),
                Column("newest_at", "Newest", "moment"),
            ),
            later=_LATER,
            empty="No prediction was logged yet.",
        ),
        Panel(
            name="features",
            title="Features by day",
            asks="What a model would be fed: how many rows, and how often is a feature not known?",
            scope="sums",
            sql="""
select features.tenant_id, cast(timezone(tenants.timezone, features.featured_at) as date) as day, count(*) as feature_rows,
    avg(case when features.intent is null then 1.0 else 0.0 end) as without_intent,
    avg(case when features.budget_minor is null then 1.0 else 0.0 end) as without_budget,
    avg(case when features.timeline_days is null then 1.0 else 0.0 end) as without_timeline,
    avg(features.score) as mean_score
from marts.ftr_leads as features
inner join reference.tenants as tenants on features.tenant_id = tenants.tenant_id
group by grouping sets ((features.tenant_id, day), (day))
order by features.tenant_id, day""",
            columns=(
                _TENANT,
                Column("day", "Day", "date"),
                Column("feature_rows", "Rows", "count"),
                Column("without_intent", "Intent unknown", "ratio"),
                Column("without_budget", "Budget unknown", "ratio"),
                Column("without_timeline", "Timeline unknown", "ratio"),
                Column("mean_score", "Mean score", "number", "of 100"),
            ),
            chart=Chart("line", "day", ("without_intent", "without_budget", "without_timeline"), y_title="unknown"),
            empty="No features yet: the first event of a lead makes them.",
        ),
    ),
)
