"""Tokens: what each tenant may still spend, how fast it goes, and whether the money behind it is where it should be.

Here belong wallets, use, grants, reconciliation with the payment provider and signs of abuse. Not here: alerts that went out (`platform`).
"""

from ml.reports.site.parts import Chart, Column, Panel, Topic

_TENANT = Column("tenant_id", "Tenant")
_CURRENCY = Column("currency", "Currency")

TOPIC = Topic(
    name="tokens",
    title="Tokens",
    says="A double-entry ledger: payments credit a wallet, use debits it, and what is not used expires. Days are the tenant's own.",
    assets=("marts/fct_token_balances", "marts/fct_token_ledger", "marts/fct_token_usage_daily", "marts/fct_billing_reconciliation"),
    panels=(
        Panel(
            name="wallets",
            title="Wallets",
            asks="What is left, how fast does it go, and when is it used up?",
            sql="""
select balances.tenant_id, balances.balance_tokens, balances.last_top_up_tokens,
    cast(balances.balance_tokens as double precision) / nullif(balances.last_top_up_tokens, 0) as left_ratio,
    forecasts.daily_tokens, coalesce(forecasts.reason, 'runs out') as verdict,
    forecasts.runs_out_at, forecasts.runs_out_earliest_at, forecasts.runs_out_latest_at
from marts.fct_token_balances as balances
left join marts.fct_token_forecasts as forecasts on balances.tenant_id = forecasts.tenant_id
where balances.is_current
order by left_ratio, balances.tenant_id""",
            columns=(
                _TENANT,
                Column("balance_tokens", "Balance", "tokens", "tokens"),
                Column("left_ratio", "of the last top-up", "ratio"),
                Column("daily_tokens", "Used a day", "number", "tokens"),
                Column("verdict", "Verdict", "word"),
                Column("runs_out_at", "Runs out", "moment"),
                Column("runs_out_earliest_at", "earliest (95 %)", "moment"),
                Column("runs_out_latest_at", "latest (95 %)", "moment"),
            ),
            empty="No wallet has moved yet: the first captured payment opens it.",
        ),
        Panel(
            name="balance",
            title="Balance by day",
            asks="How did the wallet stand at the end of each day?",
            sql="""
select tenant_id, balance_date, balance_tokens, credited_tokens, debited_tokens, expired_tokens
from marts.fct_token_balances
order by tenant_id, balance_date""",
            columns=(
                _TENANT,
                Column("balance_date", "Day", "date"),
                Column("balance_tokens", "Balance", "tokens", "tokens"),
                Column("credited_tokens", "Credited", "tokens", "tokens"),
                Column("debited_tokens", "Debited", "tokens", "tokens"),
                Column("expired_tokens", "of it expired", "tokens", "tokens"),
            ),
            chart=Chart("line", "balance_date", ("balance_tokens",), by="tenant_id"),
            empty="No wallet has moved yet.",
        ),
        Panel(
            name="burn",
            title="Burn by day",
            asks="What were tokens used for?",
            scope="sums",
            sql="""
select tenant_id, usage_date, kind, sum(usage_count) as uses, sum(debited_tokens) as debited_tokens
from marts.fct_token_usage_daily
group by grouping sets ((tenant_id, usage_date, kind), (usage_date, kind))
order by tenant_id, usage_date, kind""",
            columns=(
                _TENANT,
                Column("usage_date", "Day", "date"),
                Column("kind", "Use", "word", facet=True),
                Column("uses", "Uses", "count"),
                Column("debited_tokens", "Debited", "tokens", "tokens"),
            ),
            chart=Chart("stack", "usage_date", ("debited_tokens",), by="kind"),
            empty="Nothing was used yet.",
        ),
        Panel(
            name="uses",
            title="By channel and model",
            asks="Which channel and which model cost most?",
            scope="sums",
            sql="""
select tenant_id, coalesce(nullif(channel, ''), 'none') as channel, coalesce(nullif(model, ''), 'none') as model, kind,
    sum(usage_count) as uses, sum(quantity) as quantity, sum(debited_tokens) as debited_tokens, sum(unrated_count) as unrated
from marts.fct_token_usage_daily
group by grouping sets (
    (tenant_id, coalesce(nullif(channel, ''), 'none'), coalesce(nullif(model, ''), 'none'), kind),
    (coalesce(nullif(channel, ''), 'none'), coalesce(nullif(model, ''), 'none'), kind)
)
order by tenant_id, debited_tokens desc, channel, model, kind""",
            columns=(
                _TENANT,
                Column("channel", "Channel", "word", facet=True),
                Column("model", "Model", facet=True),
                Column("kind", "Use", "word", facet=True),
                Column("uses", "Uses", "count"),
                Column("quantity", "Quantity", "count", "units of the use"),
                Column("debited_tokens", "Debited", "tokens", "tokens"),
                Column("unrated", "Uses without a rate", "count"),
            ),
            empty="Nothing was used yet.",
        ),
        Panel(
            name="top_ups",
            title="Top-ups",
            asks="Where did the tokens of each credited payment go?",
            sql="""
select tenant_id, payment_id, credited_at, expires_at, credited_tokens, used_tokens, returned_tokens, expired_tokens, left_tokens
from marts.fct_token_grants
order by credited_at desc, tenant_id, payment_id""",
            columns=(
                _TENANT,
                Column("payment_id", "Payment", "id"),
                Column("credited_at", "Credited", "moment"),
                Column("expires_at", "Expires", "moment"),
                Column("credited_tokens", "Credited", "tokens", "tokens"),
                Column("used_tokens", "Used", "tokens", "tokens"),
                Column("returned_tokens", "Returned", "tokens", "tokens"),
                Column("expired_tokens", "Expired", "tokens", "tokens"),
                Column("left_tokens", "Left", "tokens", "tokens"),
            ),
            empty="No payment was credited yet.",
        ),
        Panel(
            name="reconciliation",
            title="Reconciliation with the payment provider",
            asks="What does the provider owe at the end of the newest day, and is there a difference that nobody can explain?",
            sql="""
select tenant_id, currency, reconciled_date, closing_minor, captured_not_settled_yet_minor, captured_not_settled_late_minor,
    refund_not_in_settlement_minor, settled_without_payment_minor, fee_mismatch_minor
from (
    select *, row_number() over (partition by tenant_id, currency order by reconciled_date desc) as newest
    from marts.fct_billing_reconciliation
) as days
where newest = 1
order by tenant_id, currency""",
            columns=(
                _TENANT,
                _CURRENCY,
                Column("reconciled_date", "Day", "date"),
                Column("closing_minor", "Owed to us", "money"),
                Column("captured_not_settled_yet_minor", "in time", "money"),
                Column("captured_not_settled_late_minor", "late", "money"),
                Column("refund_not_in_settlement_minor", "paid out too much: refunds", "money"),
                Column("settled_without_payment_minor", "paid out without payment", "money"),
                Column("fee_mismatch_minor", "fees that differ", "money"),
            ),
            empty="No payment was taken in yet.",
        ),
        Panel(
            name="money",
            title="Money by day",
            asks="What was captured, refunded and paid out?",
            sql="""
select tenant_id, currency, reconciled_date, payments_minor, fees_minor, refunds_minor, disputes_minor, settlements_minor, closing_minor
from marts.fct_billing_reconciliation
where payments_minor <> 0 or refunds_minor <> 0 or disputes_minor <> 0 or settlements_minor <> 0 or fees_minor <> 0
order by reconciled_date desc, tenant_id, currency""",
            columns=(
                _TENANT,
                _CURRENCY,
                Column("reconciled_date", "Day", "date"),
                Column("payments_minor", "Captured", "money"),
                Column("fees_minor", "Fees", "money"),
                Column("refunds_minor", "Refunded", "money"),
                Column("disputes_minor", "Lost in disputes", "money"),
                Column("settlements_minor", "Paid out", "money"),
                Column("closing_minor", "Owed at the end", "money"),
            ),
            empty="No money moved yet.",
        ),
        Panel(
            name="abuse",
            title="Signs of abuse",
            asks="What looks wrong, by how much, and when was it seen?",
            sql="""
select tenant_id, signal, subject, signal_date, observed, limit_value, detected_at
from marts.fct_abuse_signals
order by detected_at desc, tenant_id, signal, subject""",
            columns=(
                _TENANT,
                Column("signal", "Sign", "word", facet=True),
                Column("subject", "About", "id"),
                Column("signal_date", "Day", "date"),
                Column("observed", "Seen", "number"),
                Column("limit_value", "Limit", "number"),
                Column("detected_at", "Detected", "moment"),
            ),
            empty="No sign of abuse.",
        ),
    ),
)
