"""What was planted: the manifest that a simulation leaves beside its traffic, to be compared with what the platform finds.

Here belong its shape and its file. All of it is noted by the code that writes the events, never computed from events
afterwards. Not here: the comparison.
"""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

LeakKind = Literal["no_reply", "hot_unassigned", "assigned_idle", "no_next_step", "window_closing", "no_show"]


class Leak(Struct, frozen=True, order=True):
    """A leak of the lead who holds `phone` (E.164), or that mail address, where the story knows no number."""

    phone: str
    kind: LeakKind


Metric = Literal["first_response", "next_response", "resolution", "hand_over"]


class Promise(Struct, frozen=True, order=True):
    """A service level that was promised to the lead who holds `phone`, once or more."""

    phone: str
    metric: Metric


class Candidate(Struct, frozen=True, order=True):
    """Recovery attempt `attempt` is due for the lead who holds `phone`, and not yet expired."""

    phone: str
    attempt: int


class NumberChange(Struct, frozen=True, order=True):
    """Two phones of one lead, before and after."""

    old: str
    new: str


class Sign(Struct, frozen=True, order=True):
    """A sign of abuse on a local day (ISO 8601); `is_fresh`: less than a day old at the end, so that its alert is still wanted."""

    signal: str
    date: str
    is_fresh: bool = False


class TenantTruth(Struct, kw_only=True):
    """What is true of one tenant at the end. Under tenant '' only rejects: those of nobody known."""

    leaks_open: list[Leak] = field(default_factory=list)
    leaks_ever: list[Leak] = field(default_factory=list)
    sla_met: list[Promise] = field(default_factory=list)
    """Kept at least once; of resolutions only those that ended won or lost."""
    sla_breached: list[Promise] = field(default_factory=list)
    """Broken at least once."""
    sla_nearly_due: list[Promise] = field(default_factory=list)
    """Those of which more than 80 percent are used up at the end."""
    sla_overdue: list[Promise] = field(default_factory=list)
    """Those broken at the end, for less than a day."""
    hot: list[str] = field(default_factory=list)
    recovery_due: list[Candidate] = field(default_factory=list)
    token_balance: int = 0
    thresholds_crossed: list[int] = field(default_factory=list)
    number_changes: list[NumberChange] = field(default_factory=list)
    opt_outs: list[str] = field(default_factory=list)
    leads: int = 0
    conversations: dict[str, int] = field(default_factory=Counter)
    """By channel; WhatsApp's are not counted."""
    messages: dict[str, int] = field(default_factory=Counter)
    """By channel and direction, each once however often it was told."""
    statuses: dict[str, int] = field(default_factory=Counter)
    """Messages by channel and the highest status that was reported of them."""
    windows: dict[str, int] = field(default_factory=Counter)
    """Messaging windows by channel and kind; WhatsApp's are not counted."""
    violations: dict[str, int] = field(default_factory=Counter)
    """Free text that no window allowed, by channel and reason."""
    appointments: dict[str, int] = field(default_factory=Counter)
    """By what became of them."""
    reschedules: int = 0
    payments: dict[str, int] = field(default_factory=Counter)
    """What the payment provider said of amounts, by its own name of it."""
    credits: int = 0
    """Payments that were credited, each once."""
    entries: dict[str, int] = field(default_factory=Counter)
    """Transactions of the token ledger by kind; uses are not counted."""
    expired_tokens: int = 0
    signs: list[Sign] = field(default_factory=list)
    runs_out: bool = False
    """Whether the balance lasts less than three days."""
    differences: dict[str, int] = field(default_factory=Counter)
    """What the payment provider's account comes to at the end, by currency and name of the difference, in minor units."""
    news: dict[str, int] = field(default_factory=Counter)
    """What vendors said of our accounts, by source, kind and state."""
    contact_events: dict[str, int] = field(default_factory=Counter)
    """What became known of people, by kind."""
    killed: list[str] = field(default_factory=list)
    """Experiments that do harm."""
    accepted: dict[str, int] = field(default_factory=Counter)
    duplicates: dict[str, int] = field(default_factory=Counter)
    rejects: dict[str, int] = field(default_factory=Counter)

    def leak(self, phone: str, kind: LeakKind, *, is_open: bool) -> None:
        """Note one leak."""
        self.leaks_ever.append(Leak(phone, kind))
        if is_open:
            self.leaks_open.append(Leak(phone, kind))

    def breach(self, phone: str, *metrics: Metric, is_open: bool) -> None:
        """Note broken promises."""
        self.sla_breached += [Promise(phone, metric) for metric in metrics]
        if is_open:
            self.sla_overdue += [Promise(phone, metric) for metric in metrics]


class WantedAction(Struct, frozen=True):
    """One action that must be delivered once everything up to the end is taken in; rule and kind are those of the outbox.

    `leak`, `attempt`, `percent`, `signal`, `metric` and `experiment_id` are what its details say, each for its own rule.
    """

    tenant: str
    rule: Literal[
        "lead_leak", "cold_recovery", "token_threshold", "token_abuse", "token_run_out", "sla_warning", "sla_breach", "experiment_switch"
    ]
    kind: Literal["notify", "send_template", "top_up_link", "pause", "kill_experiment"]
    phone: str | None = None
    leak: LeakKind | None = None
    attempt: int | None = None
    percent: int | None = None
    signal: str | None = None
    metric: Metric | None = None
    experiment_id: str | None = None

    @property
    def detail(self) -> str | int | None:
        """The one of them that it has."""
        told = (self.leak, self.attempt, self.percent, self.signal, self.metric, self.experiment_id)
        return next((each for each in told if each is not None), None)


class Canaries(Struct):
    """Personal data that stands in the traffic and must not be found in the clear anywhere behind the inbox."""

    names: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class Manifest(Struct, kw_only=True):
    """Everything planted. `bodies` are webhooks with repeats and broken ones; `lines` are lines of segments."""

    version: int = 1
    seed: int
    end_at: datetime
    days: int
    tenants: dict[str, TenantTruth] = field(default_factory=dict)
    actions: list[WantedAction] = field(default_factory=list)
    canaries: Canaries = field(default_factory=Canaries)
    segments: int = 0
    lines: int = 0
    bodies: int = 0

    def rejects(self) -> Counter[str]:
        """Rejects of all tenants, by reason."""
        return sum((Counter(truth.rejects) for truth in self.tenants.values()), Counter())

    def accepted(self) -> Counter[str]:
        """Distinct canonical events of all tenants, by lake table."""
        return sum((Counter(truth.accepted) for truth in self.tenants.values()), Counter())

    def totals(self) -> dict[str, int | dict[str, int]]:
        """Everything planted in all tenants together, by the names of `TenantTruth`: counts as they are, lists by their length."""
        found: dict[str, int | dict[str, int]] = {}
        for name in TenantTruth.__struct_fields__:
            values = [getattr(truth, name) for truth in self.tenants.values()]
            if isinstance(values[0], dict):
                found[name] = dict(sorted(sum(map(Counter, values), Counter()).items()))
            else:
                found[name] = sum(len(each) if isinstance(each, list) else each for each in values)
        return found

    def save(self, path: Path) -> None:
        """Write it as JSON, sorted, so that equal truths are equal files."""
        for truth in self.tenants.values():
            for name in (
                "leaks_open",
                "leaks_ever",
                "sla_met",
                "sla_breached",
                "sla_nearly_due",
                "sla_overdue",
                "hot",
                "recovery_due",
                "number_changes",
                "opt_outs",
            ):
                getattr(truth, name).sort()
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1))

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read one back."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
