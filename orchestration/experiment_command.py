"""`flexoraa experiment`: planning, how experiments stand, kills by hand and their ends, pages.

Here belongs finding what a name means and refusing whom it is not allowed. Not here: the command line (`experiment_cli`), the statistics
(`ml.experiments`), the journal (`orchestration.resources.experiments`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.experiments import ExperimentDecision, Key, Kill, standing
from orchestration.resources.clock import SystemClock
from orchestration.resources.experiments import ExperimentError, PostgresExperiments
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault

_MAY = {"kill": {"operator", "manager", "admin"}, "resume": {"manager", "admin"}}
_LOOKS = 30
LONGEST_REASON = 2_000


def plan(
    effect: float, baseline: float | None, sd: float | None, daily: float, control_share: float, power: float, alpha: float
) -> dict[str, Any]:
    """Units and days of one look at the end, and the power that is left with many.

    Raises:
        ExperimentError: neither or both of `baseline` and `sd`, or numbers of which no experiment can be made.
    """
    from ml.experiments import group_sequential  # here: scipy, 0.5 s that other commands do not need
    from ml.experiments import power as planning
    from ml.experiments.normal import critical

    if (baseline is None) == (sd is None):
        raise ExperimentError("give --baseline for a proportion or --sd for a mean, one of them")
    design = planning.Proportion(baseline) if baseline is not None else planning.Mean(sd or 0.0)
    ratio = (1 - control_share) / control_share
    try:
        units = planning.sample_size(design, effect, power, ratio, alpha)
    except ValueError as error:
        raise ExperimentError(str(error)) from error
    treated = round(units * ratio)
    times = [look / _LOOKS for look in range(1, _LOOKS + 1)]
    drift = float(critical(alpha)) + float(critical(2 * (1 - power), alternative="two-sided"))
    left = group_sequential.power(alpha / 2, times, drift, "linear")
    return {
        "control_units": units,
        "treatment_units": treated,
        "power": power,
        "alpha": alpha,
        "effect": effect,
        "days": planning.days(units + treated, daily) if daily else None,
        "power_with_30_looks": float(left[-1]),
    }


@dataclass(frozen=True, slots=True)
class Bench:
    """The experiments of an installation at a moment."""

    experiments: PostgresExperiments
    identity: PostgresIdentity
    as_of: datetime

    def status(self, tenant: str | None) -> list[dict[str, Any]]:
        """One row an experiment that the configuration names, of its newest version that has begun."""
        told: dict[Key, ExperimentDecision] = {}
        for each in self.experiments.published().decisions:
            if each.valid_from <= self.as_of:
                told[each.tenant_id, each.experiment_id] = each
        newest, notes = standing(self.experiments.verdicts(self.as_of)), self.experiments.notes(self.as_of)
        rows = []
        for key in sorted(self._known(tenant)):
            decision, switched = told.get(key), newest.get(key)
            is_killed = switched is not None and switched.verdict == "killed"
            rows.append(
                {
                    "tenant_id": key[0],
                    "experiment_id": key[1],
                    "status": "killed" if is_killed else decision.status if decision else "without statistics",
                    "serve": "control" if is_killed or decision is None else decision.serve,
                    "looks": decision.look_count if decision else 0,
                    "power": decision.power if decision else None,
                    "verdict": f"{switched.cause}: {switched.reason}" if switched and is_killed else decision.verdict if decision else "",
                    "since": switched.decided_at.isoformat() if switched else None,
                    "by": switched.decided_by if switched else None,
                    "note": notes.get(switched.number) if switched else None,
                    "last_look_at": decision.last_look_at.isoformat() if decision and decision.last_look_at else None,
                    "findings": decision.findings if decision else "[]",
                }
            )
        return rows

    def kill(self, name: str, tenant: str | None, by: str, reason: str) -> dict[str, Any]:
        """Stop one by hand.

        Raises:
            ExperimentError: there is no such experiment or person, or the person may not.
        """
        tenant_id, experiment_id = self._allowed("kill", name, tenant, by, reason)
        is_new = self.experiments.kill(Kill(tenant_id, experiment_id, "manual", "killed by hand", "{}"), self.as_of, by, reason)
        return self._answer(tenant_id, experiment_id, is_new=is_new)

    def resume(self, name: str, tenant: str | None, by: str, reason: str) -> dict[str, Any]:
        """End a kill.

        Raises:
            ExperimentError: as `kill`; or it was killed later than this moment.
        """
        tenant_id, experiment_id = self._allowed("resume", name, tenant, by, reason)
        is_new = self.experiments.resume(tenant_id, experiment_id, self.as_of, by, reason)
        return self._answer(tenant_id, experiment_id, is_new=is_new)

    def _answer(self, tenant_id: str, experiment_id: str, *, is_new: bool) -> dict[str, Any]:
        newest = standing(self.experiments.verdicts(self.as_of)).get((tenant_id, experiment_id))
        verdict = newest.verdict if newest is not None else "running"
        serve = "control" if verdict == "killed" else "experiment"
        return {"tenant_id": tenant_id, "experiment_id": experiment_id, "verdict": verdict, "serve": serve, "is_new": is_new}

    def _allowed(self, what: str, name: str, tenant: str | None, by: str, reason: str) -> Key:
        if not reason.strip() or len(reason) > LONGEST_REASON:
            raise ExperimentError(f"a reason has 1 to {LONGEST_REASON} characters: it is what the next person reads")
        meant = sorted(key for key in self._known(tenant) if key[1] == name)
        if not meant:
            known = ", ".join(sorted({key[1] for key in self._known(tenant)})) or "none at all"
            raise ExperimentError(f"there is no experiment {name!r}; there are: {known}")
        if len(meant) > 1:
            raise ExperimentError(f"{name!r} is an experiment of {', '.join(key[0] for key in meant)}: name one with --tenant")
        [(tenant_id, experiment_id)] = meant
        people: Mapping[str, str] = self.identity.people(tenant_id, self.as_of)
        if by not in people:
            raise ExperimentError(f"{by!r} is nobody of {tenant_id} at {self.as_of.isoformat()}; the tenants file names its people")
        if people[by] not in _MAY[what]:
            roles = " or ".join(sorted(_MAY[what]))
            raise ExperimentError(f"{by} is {people[by]} of {tenant_id} and may not {what} an experiment: ask one who is {roles}")
        return tenant_id, experiment_id

    def _known(self, tenant: str | None) -> set[Key]:
        variants = self.experiments.declared().variants
        return {(each.tenant_id, each.experiment_id) for each in variants if tenant in {None, each.tenant_id}}


@contextmanager
def open_bench(settings: Settings, as_of: datetime | None) -> Iterator[Bench]:
    """The experiments at a moment; else now, but never before what was published."""
    with open_state(settings) as state:
        experiments = PostgresExperiments(state, vault := Vault(state, settings.master_key()))
        published = experiments.published().as_of
        if as_of is not None and published is not None and as_of < published:
            message = f"the marts were published as of {published.isoformat()}: nothing is decided before that ({as_of.isoformat()})"
            raise ExperimentError(message)
        yield Bench(experiments, PostgresIdentity(state, vault), as_of or max(filter(None, (SystemClock().now(), published))))


def write_reports(settings: Settings, name: str | None, tenant: str | None) -> list[str]:
    """Write every page from what the warehouse holds; the paths of those that were asked for, the index last.

    Raises:
        ExperimentError: there is no page of that name.
    """
    from assets.experiment_pages import INDEX, Said, page_name, pages_of
    from assets.pages.menu import TOPICS
    from assets.site import build
    from ml.reports.site.parts import Site
    from orchestration.resources.engines import warehouse_of
    from orchestration.resources.pages import FolderPages
    from orchestration.resources.readings import InstallationReadings

    with open_state(settings) as state:
        experiments = PostgresExperiments(state, Vault(state, settings.master_key()))
        as_of = experiments.published().as_of or SystemClock().now()
        warehouse = warehouse_of(settings, state.libpq_url)
        results, decisions, channels = (warehouse.rows(mart) for mart in ("exp_results", "exp_decisions", "exp_channels"))
        site = Site(TOPICS, experiments.timezones(), as_of, settings.dagster_url)
        made = pages_of(Said(results, decisions, channels, experiments.verdicts(as_of)), site)
        pages = FolderPages(settings.reports)
        index = build(InstallationReadings(settings, state, warehouse), pages.names(), ["experiments"])
    pages.write({**made, **index.pages})
    wanted = [
        page_name(row["tenant_id"], row["experiment_id"])
        for row in decisions
        if name in {None, row["experiment_id"]} and tenant in {None, row["tenant_id"]}
    ]
    if not wanted and (name is not None or tenant is not None):
        raise ExperimentError(
            f"there is no page of {name or 'any experiment'}{f' of {tenant}' if tenant else ''}; `flexoraa experiment status` lists them"
        )
    return [str(settings.reports / each) for each in (*dict.fromkeys(wanted), INDEX)]
