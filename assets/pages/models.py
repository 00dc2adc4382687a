"""Models: what is served, what it is made from, and whether it still holds.

Here belong versions, decisions, predictions and performance over time. Not here: a week's drift report in full, which has its own page.
"""

from ml.reports.site.parts import Band, Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_LATER = "No model is in service in this installation: tiers come from the five factors alone (see Leads)."
_MODEL = (Column("model", "Model", facet=True), Column("version", "Version", "count"))

TOPIC = Topic(
    name="models",
    title="Models",
    says="Champions and challengers, what they are fed and how well they do as the truth arrives.",
    assets=("marts/ftr_leads", "marts/fct_predictions", "marts/fct_model_performance", "marts/fct_model_drift"),
    panels=(
        Panel(
            name="versions",
            title="Versions",
            asks="Which versions were trained, on how much, and which one serves?",
            store="state",
            sql="""
select versions.tenant_id, versions.model, versions.version,
    case when changes.version = versions.version then 'champion' else '' end as serves,
    versions.rows, versions.positives, versions.hot_threshold, versions.warm_threshold, versions.fitted_until, versions.trained_at,
    versions.trained_by
from ops.model_versions as versions
left join (
    select tenant_id, model, version, row_number() over (partition by tenant_id, model order by number desc) as newest
    from ops.model_changes
) as changes on versions.tenant_id = changes.tenant_id and versions.model = changes.model and changes.newest = 1
order by versions.tenant_id, versions.model, versions.version desc""",
            columns=(
                _TENANT, *_MODEL,
                Column("serves", "Serves", "word"),
                Column("rows", "Trained on", "count", "rows"),
                Column("positives", "of them won", "count"),
                Column("hot_threshold", "Hot from", "ratio"),
                Column("warm_threshold", "Warm from", "ratio"),
                Column("fitted_until", "Data until", "moment"),
                Column("trained_at", "Trained", "moment"),
                Column("trained_by", "By"),
            ),
            later=_LATER,
            empty="No model was trained yet: there were not enough leads that were won or lost.",
        ),
        Panel(
            name="changes",
            title="Who serves, and why",
            asks="Every change of champion: first, better, rolled back, retrained or by hand.",
            store="state",
            sql="""
select tenant_id, model, version, cause, reason, decided_by, decided_at
from ops.model_changes
order by number desc""",
            columns=(
                _TENANT, *_MODEL,
                Column("cause", "Cause", "word", facet=True),
                Column("reason", "Why"),
                Column("decided_by", "By"),
                Column("decided_at", "When", "moment"),
            ),
            later=_LATER,
            empty="No version was put into service yet.",
        ),
        Panel(
            name="predictions",
            title="Predictions by version",
            asks="Which version scored how many leads?",
            sql="""
select tenant_id, model_name as model, model_version as version, role, count(*) as predictions, count(distinct lead_id) as leads,
    avg(probability) as mean_probability, count(outcome) as decided, max(predicted_at) as newest_at
from marts.fct_predictions
group by tenant_id, model_name, model_version, role
order by newest_at desc, tenant_id, model, version, role""",
            columns=(
                _TENANT, *_MODEL,
                Column("role", "Role", "word", facet=True),
                Column("predictions", "Predictions", "count"),
                Column("leads", "Leads", "count"),
                Column("mean_probability", "Mean probability", "ratio"),
                Column("decided", "with an outcome", "count"),
                Column("newest_at", "Newest", "moment"),
            ),
            later=_LATER,
            empty="No prediction was logged yet.",
        ),
        Panel(
            name="calibration",
            title="Calibration of champions",
            asks="Of leads to which it gave a chance of 30 %, are 30 % won? Points on the dotted line say so; the table has how many.",
            scope="sums",
            sql="""
select tenant_id, least(cast(floor(probability * 10) as integer), 9) as tenth, count(*) as predictions, avg(probability) as promised,
    avg(case when outcome then 1.0 else 0.0 end) as came_true
from marts.fct_predictions
where role = 'champion' and outcome is not null
group by grouping sets ((tenant_id, tenth), (tenth))
order by tenant_id, tenth""",
            columns=(
                _TENANT,
                Column("tenth", "Tenth", "count"),
                Column("predictions", "Predictions", "count"),
                Column("promised", "Promised", "ratio"),
                Column("came_true", "Came true", "ratio"),
            ),
            chart=Chart("points", "promised", ("came_true",), diagonal=True, x_title="Promised (%)"),
            later=_LATER,
            empty="No lead that a champion scored was won or lost yet.",
        ),
        Panel(
            name="hot",
            title="Why a model calls a lead hot",
            asks="The newest prediction of the champion for each lead that it calls hot; its parts are in fct_predictions.parts.",
            sql="""
select tenant_id, lead_id, tier, model_name as model, model_version as version, probability, hot_threshold, featured_at
from (
    select *, row_number() over (partition by tenant_id, lead_id order by featured_at desc) as newest
    from marts.fct_predictions where role = 'champion'
) as predictions
where newest = 1 and tier = 'HOT'
order by probability desc, tenant_id, lead_id""",
            columns=(
                _TENANT,
                Column("lead_id", "Lead", "id"),
                Column("tier", "Tier"),
                *_MODEL,
                Column("probability", "Probability", "ratio"),
                Column("hot_threshold", "Hot from", "ratio"),
                Column("featured_at", "Features of", "moment"),
            ),
            later=_LATER,
            empty="The champion calls no lead hot.",
        ),
        Panel(
            name="drift",
            title="Drift by week",
            asks="What moved against the frozen baseline, and how far? The newest week first, worst first.",
            sql="""
select tenant_id, week_date, model, version, segment, feature, severity, reason, row_count, psi, missing_share, unseen_share
from marts.fct_model_drift
where severity <> 'ok'
order by week_date desc, psi desc, tenant_id, model, feature""",
            columns=(
                _TENANT,
                Column("week_date", "Week", "date"),
                *_MODEL,
                Column("segment", "Segment", "word", facet=True),
                Column("feature", "Feature", "word"),
                Column("severity", "Severity", "word", facet=True),
                Column("reason", "Why"),
                Column("row_count", "Rows", "count"),
                Column("psi", "PSI", "number"),
                Column("missing_share", "Missing", "ratio"),
            ),
            bar="psi",
            later=_LATER,
            empty="Nothing has drifted.",
        ),
        Panel(
            name="performance",
            title="Performance by week",
            asks="Does it still tell winners from losers? AUC with its 95 % interval, as outcomes arrive.",
            sql="""
select tenant_id, week_date, model, version, severity, state, row_count, outcome_count, auc, auc_low, auc_high, brier, ece, lift
from marts.fct_model_performance
order by tenant_id, model, week_date""",
            columns=(
                _TENANT,
                Column("week_date", "Week", "date"),
                *_MODEL,
                Column("severity", "Severity", "word", facet=True),
                Column("state", "State", "word"),
                Column("row_count", "Rows", "count"),
                Column("outcome_count", "Outcomes", "count"),
                Column("auc", "AUC", "number"),
                Column("auc_low", "95 % from", "number"),
                Column("auc_high", "to", "number"),
                Column("brier", "Brier", "number"),
                Column("ece", "ECE", "number"),
                Column("lift", "Lift", "number"),
            ),
            chart=Chart("line", "week_date", ("auc",), by="tenant_id", bands=(Band("auc_low", "auc_high", "95 %"),)),
            later=_LATER,
            empty="No week of a model in service has ended yet.",
        ),
        Panel(
            name="features",
            title="Features by day",
            asks="What a model is fed: how many rows, and how often is a feature not known?",
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
)  # fmt: skip
