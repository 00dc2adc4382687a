"""Planted against found: a simulation's manifest beside what an installation holds, kind by kind.

Here belongs the comparison, by sets of leads and by counts. Persons are looked up in the vault, in memory. Not here: planting
(`orchestration.simulator`), finding (everything else).
"""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, get_args, get_type_hints

from sqlalchemy import text

from core.events import EVENT_TYPES, Point
from orchestration.receiver import Request
from orchestration.resources.platform import Platform
from orchestration.simulator import Manifest
from orchestration.simulator.truth import TenantTruth, WantedAction

_SENT_RULES = "select action_id, tenant_id, rule, kind, lead_id, details from ops.outbox"
_OURS = "marts.fct_messages where action_id is null or action_id like 'sim-%'"  # what this installation sent itself comes on top
_CONVERSATIONS = "marts.fct_conversations where channel <> 'whatsapp'"
_WINDOWS = "marts.fct_messaging_windows where channel <> 'whatsapp'"
_WON_OR_LOST = "(metric <> 'resolution' or stop_reason in ('won', 'lost'))"
_OF_WHATSAPP = (
    "(metric = 'hand_over' or (tenant_id, conversation_id) in "
    "(select (tenant_id, conversation_id) from marts.fct_conversations where channel = 'whatsapp'))"
)
_TRANSACTIONS = "(select distinct tenant_id, kind, transaction_id from marts.fct_token_ledger where kind <> 'usage') as told"
_DIFFERENCES = {
    "captured_not_settled_late": "late",
    "captured_not_settled_yet": "yet",
    "refund_not_in_settlement": "refunded",
    "settled_without_payment": "unpaid",
    "fees_not_settled_yet": "fees",
    "fee_mismatch": "fee mismatch",
}
"""Columns of the reconciliation, without their unit, and what the simulation calls them."""
_SIMULATED = "select segment_id from ops.segments where path like 'sim-%'"


_RULES = set(get_args(get_type_hints(WantedAction)["rule"]))
"""Rules whose actions the simulation plants."""


class Finding(NamedTuple):
    """One kind of planted truth: how many were planted, how many found, and whether they are the same ones."""

    kind: str
    planted: int
    found: int
    is_equal: bool
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


class _Action(NamedTuple):
    tenant_id: str
    rule: str
    kind: str
    lead_id: str | None
    detail: str | int | None


def compare(manifest: Manifest, platform: Platform, received: Iterable[Request]) -> list[Finding]:
    """Every planted kind, over all tenants."""
    marts = _Marts(platform)
    leads = marts.lead_of_contact()
    actions = _outbox(platform)
    delivered = [actions[action_id] for action_id in map(_action_id, received) if action_id in actions]
    arrived = Counter(each for each in delivered if each.rule in _RULES)

    def by_lead(values: Callable[[TenantTruth], Iterable[Any]], key: Callable[[str, Any], Hashable]) -> Counter[Hashable]:
        return Counter(key(tenant, each) for tenant, truth in manifest.tenants.items() for each in values(truth))

    def counted(counts: Callable[[TenantTruth], dict[str, int]]) -> Counter[Hashable]:
        found: Counter[Hashable] = Counter()
        for tenant, truth in manifest.tenants.items():
            found.update({(tenant, name): number for name, number in counts(truth).items()})
        return found

    def lead(tenant: str, phone: str) -> str:
        return leads.get((tenant, phone), f"nobody holds {tenant}'s planted number")

    def promised(values: Callable[[TenantTruth], Iterable[Any]]) -> Counter[Hashable]:
        """Each lead and metric once."""
        return Counter(set(by_lead(values, lambda t, e: (t, lead(t, e.phone), e.metric))))

    recoveries = Counter((each.tenant_id, each.lead_id, each.detail) for each in arrived.elements() if each.rule == "cold_recovery")
    crossings = {(each.tenant_id, each.detail) for each in actions.values() if each.rule == "token_threshold"}
    wanted = Counter(
        _Action(each.tenant, each.rule, each.kind, each.phone and lead(each.tenant, each.phone), each.detail) for each in manifest.actions
    )
    # what costs tokens waits where the wallet is empty
    empty = {tenant for tenant, truth in manifest.tenants.items() if truth.token_balance <= 0}
    held = Counter({each: number for each, number in wanted.items() if each.rule == "cold_recovery" and each.tenant_id in empty})
    waiting = _held(platform)
    return [
        _finding(
            "leads",
            Counter({t: x.leads for t, x in manifest.tenants.items()}),
            marts.counter("select tenant_id from marts.dim_leads"),
        ),
        _finding(
            "leaks open",
            by_lead(lambda t: t.leaks_open, lambda t, e: (t, lead(t, e.phone), e.kind)),
            marts.counter("select tenant_id, lead_id, kind from marts.fct_lead_leaks where closed_at is null"),
        ),
        _finding(
            "leaks ever",
            by_lead(lambda t: t.leaks_ever, lambda t, e: (t, lead(t, e.phone), e.kind)),
            marts.counter("select tenant_id, lead_id, kind from marts.fct_lead_leaks"),
        ),
        _finding("service levels met", promised(lambda t: t.sla_met), marts.promises("verdict = 'met' and " + _WON_OR_LOST)),
        _finding("service levels breached", promised(lambda t: t.sla_breached), marts.promises("verdict = 'breached'")),
        _finding(
            "hot leads",
            by_lead(lambda t: t.hot, lambda t, e: (t, lead(t, e))),
            marts.counter("select tenant_id, lead_id from marts.dim_leads where tier = 'HOT'"),
        ),
        _finding("recovery due", by_lead(lambda t: t.recovery_due, lambda t, e: (t, lead(t, e.phone), e.attempt)), recoveries + waiting),
        _finding(
            "token balance",
            Counter({(t, x.token_balance): 1 for t, x in manifest.tenants.items() if t}),
            marts.counter("select tenant_id, balance_tokens from marts.fct_token_balances where is_current"),
        ),
        _finding("token transactions", counted(lambda t: t.entries), marts.words("kind", _TRANSACTIONS)),
        _finding(
            "tokens expired",
            Counter({t: x.expired_tokens for t, x in manifest.tenants.items()}),
            marts.sums("select tenant_id, sum(expired_tokens) from marts.fct_token_grants group by tenant_id"),
        ),
        _finding(
            "signs of abuse",
            by_lead(lambda t: t.signs, lambda t, e: (t, e.signal, e.date)),
            marts.counter("select tenant_id, signal, cast(signal_date as varchar) from marts.fct_abuse_signals"),
        ),
        _finding(
            "wallets about to run out",
            Counter({t: int(x.runs_out) for t, x in manifest.tenants.items()}),
            marts.counter("select tenant_id from marts.act_requests where rule = 'token_run_out'"),
        ),
        _finding("money between us and the provider", counted(lambda t: t.differences), marts.differences()),
        _finding("token thresholds", by_lead(lambda t: t.thresholds_crossed, lambda t, e: (t, e)), Counter(crossings)),
        _finding(
            "number changes, one lead each",
            by_lead(lambda t: t.number_changes, lambda t, e: (t, lead(t, e.new))),
            by_lead(lambda t: t.number_changes, lambda t, e: (t, marts.first_lead_of_contact().get((t, e.old), "nobody"))),
        ),
        _finding(
            "opt-outs",
            by_lead(lambda t: t.opt_outs, lambda t, e: (t, lead(t, e))),
            marts.counter("select tenant_id, lead_id from marts.dim_leads where is_opted_out"),
        ),
        _finding(
            "experiments killed",
            by_lead(lambda t: t.killed, lambda t, e: (t, e)),
            Counter((each.tenant_id, each.detail) for each in arrived.elements() if each.kind == "kill_experiment"),
        ),
        _finding("messages", counted(lambda t: t.messages), marts.words("channel || ' ' || direction", _OURS)),
        _finding("statuses", counted(lambda t: t.statuses), marts.words("channel || ' ' || status", _OURS)),
        _finding("conversations", counted(lambda t: t.conversations), marts.words("channel", _CONVERSATIONS)),
        _finding("messaging windows", counted(lambda t: t.windows), marts.words("channel || ' ' || kind", _WINDOWS)),
        _finding(
            "window violations", counted(lambda t: t.violations), marts.words("channel || ' ' || reason", "marts.fct_window_violations")
        ),
        _finding("appointments", counted(lambda t: t.appointments), marts.words("status", "marts.fct_appointments")),
        _finding(
            "reschedules",
            Counter({t: x.reschedules for t, x in manifest.tenants.items()}),
            marts.counter("select tenant_id from marts.fct_appointments as a, unnest(range(a.reschedule_count))"),
        ),
        _finding("payments", counted(lambda t: t.payments), marts.words("kind", "staging.stg_lake__payments")),
        _finding(
            "payments credited",
            Counter({t: x.credits for t, x in manifest.tenants.items()}),
            marts.counter("select tenant_id from marts.fct_token_ledger where kind = 'credit' and account = 'wallet'"),
        ),
        _finding(
            "account news", counted(lambda t: t.news), marts.words("source || ' ' || kind || ' ' || state", "marts.fct_account_events")
        ),
        _finding("contact events", counted(lambda t: t.contact_events), marts.words("kind", "marts.fct_contact_events")),
        _finding("duplicates", _sum(x.duplicates for x in manifest.tenants.values()), marts.duplicates()),
        _finding("rejects", manifest.rejects(), Counter(platform.ledger.refusals())),
        _finding("events accepted", manifest.accepted(), marts.accepted()),
        _finding("actions delivered", wanted - held, arrived),
        _finding("recoveries held, the wallet is empty", Counter((t, e, d) for t, _, _, e, d in held.elements()), waiting),
    ]


class _Marts:
    """What the warehouse holds, by the simulation's own segments where it counts events (our receipts come on top)."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        with platform.state.begin() as connection:
            found: Iterable[str] = connection.execute(text(_SIMULATED)).scalars().all()
            self._segments = ", ".join(f"'{segment_id}'" for segment_id in found)

    def counter(self, query: str) -> Counter[Any]:
        rows = self._platform.warehouse.query(query).to_pylist()
        return Counter(tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in rows)

    def promises(self, condition: str) -> Counter[Any]:
        """Leads of WhatsApp and metrics that have such a clock, each once."""
        return self.counter(f"select distinct tenant_id, lead_id, metric from marts.fct_sla_clocks where {condition} and {_OF_WHATSAPP}")

    def words(self, word: str, table: str) -> Counter[Any]:
        """How often each word occurs, by tenant."""
        return self.counter(f"select tenant_id, {word} as word from {table}")

    def sums(self, query: str) -> Counter[Any]:
        """A number by what stands before it in its row."""
        rows = [tuple(row.values()) for row in self._platform.warehouse.query(query).to_pylist()]
        return Counter({row[0] if len(row) == 2 else row[:-1]: int(row[-1]) for row in rows})

    def differences(self) -> Counter[Any]:
        """What the provider's account comes to on the last day, by tenant, and currency and name."""
        each = " union all ".join(
            f"select tenant_id, currency || ' {name}', {column}_minor from last_days" for column, name in _DIFFERENCES.items()
        )
        last = "select * from marts.fct_billing_reconciliation where (tenant_id, currency, reconciled_date) in ("
        last += "select (tenant_id, currency, max(reconciled_date)) from marts.fct_billing_reconciliation group by tenant_id, currency)"
        return self.sums(f"with last_days as ({last}) {each}")

    def lead_of_contact(self) -> dict[tuple[str, str], str]:
        return self._contacts("order by valid_from_at")

    def first_lead_of_contact(self) -> dict[tuple[str, str], str]:
        return self._contacts("order by valid_from_at desc")

    def _contacts(self, order: str) -> dict[tuple[str, str], str]:
        """The last in this order wins."""
        query = f"select tenant_id, contact_point_id, lead_id from marts.dim_contact_points where kind in ('phone', 'email') {order}"
        rows = [tuple(row.values()) for row in self._platform.warehouse.query(query).to_pylist()]
        persons: dict[str, Point] = {}
        for tenant_id in {row[0] for row in rows}:
            persons |= self._platform.vault.reveal(tenant_id, [row[1] for row in rows if row[0] == tenant_id])
        return {(tenant_id, persons[point_id].value): lead_id for tenant_id, point_id, lead_id in rows}

    def accepted(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for event in EVENT_TYPES:
            query = f"select count(distinct (tenant_id, event_id)) as n from lake.{event.table} where segment_id in ({self._segments})"
            found[event.table] = self._platform.warehouse.query(query).to_pylist()[0]["n"]
        return +found

    def duplicates(self) -> Counter[str]:
        totals = self._platform.warehouse.conservation(self._platform.ledger.counts())
        return +Counter({source: counts["duplicate"] for source, counts in totals.items()})


def _held(platform: Platform) -> Counter[Hashable]:
    """Recoveries that wait for a top-up: tenant, lead and attempt."""
    query = (
        "select tenant_id, lead_id, (details ->> 'attempt')::int from ops.outbox "
        "where rule = 'cold_recovery' and state = 'held' and release = 'the wallet is topped up'"
    )
    with platform.state.psycopg() as connection:
        return Counter(connection.execute(query).fetchall())


def _outbox(platform: Platform) -> dict[str, _Action]:
    with platform.state.begin() as connection:
        rows: Sequence[Any] = connection.execute(text(_SENT_RULES)).all()
    found = {}
    for action_id, tenant_id, rule, kind, lead_id, details in rows:
        detail = next(
            (
                details[name]
                for name in ("leak", "attempt", "percent", "signal", "metric", "experiment_id")
                if details.get(name) is not None
            ),
            None,
        )
        found[action_id] = _Action(tenant_id, rule, kind, lead_id, detail)
    return found


def _action_id(request: Request) -> str:
    body = json.loads(request.body)
    return str(body.get("action_id") or body.get("biz_opaque_callback_data") or "")


def _finding(kind: str, planted: Counter[Any], found: Counter[Any]) -> Finding:
    planted, found = _without_zeros(planted), _without_zeros(found)
    missing, surplus = planted - found, found - planted
    return Finding(kind, planted.total(), found.total(), planted == found, _shown(missing), _shown(surplus))


def _without_zeros(counter: Counter[Any]) -> Counter[Any]:
    return Counter({key: number for key, number in counter.items() if number})


def _shown(counter: Counter[Any]) -> tuple[str, ...]:
    return tuple(f"{each} × {count}" for each, count in sorted(counter.items(), key=lambda item: str(item[0]))[:10])


def _sum(counters: Iterable[dict[str, int]]) -> Counter[str]:
    return sum(map(Counter, counters), Counter())
