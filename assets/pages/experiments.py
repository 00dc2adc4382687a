"""Experiments: what runs, what was decided, and why; each leads to its own page.

Here belongs the index. Not here: one experiment's page (`assets.experiment_pages`).
"""

from ml.reports.site.parts import Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")

TOPIC = Topic(
    name="experiments",
    title="Experiments",
    says="Every experiment with its verdict in plain words. Intervals hold at one look; the kill switch looks at every one.",
    assets=("marts/exp_results", "marts/exp_decisions", "ops/experiment_kills", "reports/experiments"),
    panels=(
        Panel(
            name="decisions",
            title="Verdicts",
            asks="What is to be served, and why?",
            sql="""
select tenant_id, experiment_id, status, serve, verdict, look_count, power, last_look_at
from (
    select *, row_number() over (partition by tenant_id, experiment_id order by valid_from desc) as newest from marts.exp_decisions
) as versions
where newest = 1
order by tenant_id, experiment_id""",
            columns=(
                _TENANT,
                Column("experiment_id", "Experiment", link="experiments/{tenant_id}--{experiment_id}.html"),
                Column("status", "Status", "word", facet=True),
                Column("serve", "Served"),
                Column("verdict", "Verdict"),
                Column("look_count", "Looks", "count"),
                Column("power", "Power", "ratio"),
                Column("last_look_at", "Last look", "moment"),
            ),
            empty="No experiment is configured. The tenants file declares them (docs/how-to.md, “A new experiment”).",
        ),
        Panel(
            name="effects",
            title="Effects at the last look",
            asks="How big is the difference to control on the primary metric and on the guardrails?",
            sql="""
select tenant_id, experiment_id, variant, metric, role, control_units, treatment_units, effect, ci_low, ci_high, always_low, always_high,
    p_value, is_srm, look_date
from (
    select *, row_number() over (partition by tenant_id, experiment_id, variant, metric order by valid_from desc, look_date desc) as newest
    from marts.exp_results
) as looks
where newest = 1
order by tenant_id, experiment_id, case role when 'primary' then 0 when 'guardrail' then 1 else 2 end, metric, variant""",
            columns=(
                _TENANT,
                Column("experiment_id", "Experiment", link="experiments/{tenant_id}--{experiment_id}.html"),
                Column("variant", "Variant"),
                Column("metric", "Metric", "word"),
                Column("role", "Role", "word", facet=True),
                Column("control_units", "Control", "count", "units"),
                Column("treatment_units", "Treatment", "count", "units"),
                Column("effect", "Effect", "number"),
                Column("ci_low", "95 % from", "number"),
                Column("ci_high", "to", "number"),
                Column("p_value", "p", "number"),
                Column("is_srm", "Ratio mismatch", "flag"),
            ),
            bar="effect",
            empty="No experiment has been looked at yet.",
        ),
        Panel(
            name="journal",
            title="Journal of stops",
            asks="Who or what stopped an experiment, and who let it go on?",
            store="state",
            sql="""
select tenant_id, experiment_id, verdict, cause, reason, decided_by, decided_at
from ops.experiment_verdicts
order by number desc""",
            columns=(
                _TENANT,
                Column("experiment_id", "Experiment", link="experiments/{tenant_id}--{experiment_id}.html"),
                Column("verdict", "Verdict", "word", facet=True),
                Column("cause", "Cause", "word", facet=True),
                Column("reason", "Why"),
                Column("decided_by", "By"),
                Column("decided_at", "When", "moment"),
            ),
            empty="No experiment was ever stopped.",
        ),
        Panel(
            name="findings",
            title="Findings in the data",
            asks="What is wrong with exposures or values?",
            sql="""
select tenant_id, experiment_id, finding, counted, finding_count, first_at, last_at
from marts.exp_findings
order by last_at desc, tenant_id, experiment_id, finding""",
            columns=(
                _TENANT,
                Column("experiment_id", "Experiment"),
                Column("finding", "Finding", "word", facet=True),
                Column("counted", "Counted", "word"),
                Column("finding_count", "How often", "count"),
                Column("first_at", "First", "moment"),
                Column("last_at", "Last", "moment"),
            ),
            empty="Exposures and values are sound.",
        ),
    ),
)
