"""A page for each experiment, from rows of `exp_results`, `exp_decisions` and `exp_channels` and the journal of verdicts.

Here belongs choosing what a page says. Not here: how it looks (`ml.reports.site`), the index (`assets.pages.experiments`).
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.experiments import Key, Verdict, standing
from ml.experiments.inference import compare
from ml.experiments.results import Comparison
from ml.moments import Moments
from ml.reports.site import frame
from ml.reports.site.parts import Answer, Band, Chart, Column, Link, Panel, Scope, Site, Topic

FOLDER = "experiments"
INDEX = "experiments.html"
Row = Mapping[str, Any]
_ORDER = ("primary", "guardrail", "cost", "other")
_LOOK = Column("look_date", "Look", "date")
_ARMS = (
    Column("control_units", "Control", "count", "units"),
    Column("treatment_units", "Treatment", "count", "units"),
    Column("control", "Control", "number"),
    Column("treatment", "Treatment", "number"),
)
_EFFECT = (
    Column("effect", "Effect", "number"),
    Column("ci_low", "95 % from", "number"),
    Column("ci_high", "to", "number"),
    Column("always_low", "at all looks from", "number"),
    Column("always_high", "to", "number"),
)
_JOURNAL = """select tenant_id, decided_at as at, verdict, decided_by as by, reason
from ops.experiment_verdicts
where {}
order by number"""


def page_name(tenant_id: str, experiment_id: str) -> str:
    """Where the page of an experiment lies, from the reports' folder."""
    return f"{FOLDER}/{tenant_id}--{experiment_id}.html"


class Said(NamedTuple):
    """All rows that pages are made of: those of `exp_results`, `exp_decisions` and `exp_channels`, and the journal of verdicts."""

    results: Sequence[Row]
    decisions: Sequence[Row]
    channels: Sequence[Row]
    verdicts: Sequence[Verdict]


def pages_of(said: Said, site: Site) -> dict[str, str]:
    """Every page by its name in the reports' folder: one an experiment, of its newest version, with the CSV of its panels."""
    newest: dict[Key, Row] = {}
    for row in sorted(said.decisions, key=lambda row: row["valid_from"]):
        newest[row["tenant_id"], row["experiment_id"]] = row
    switched = standing(said.verdicts)
    stands = [_standing(row, switched.get(key)) for key, row in sorted(newest.items())]
    made: dict[str, str] = {}
    for stand in stands:
        version = {name: stand[name] for name in ("tenant_id", "experiment_id", "valid_from")}
        rows, channels = (_own(each, version) for each in (said.results, said.channels))
        rows = sorted(rows, key=lambda row: row["look_date"])
        journal = [
            {"at": each.decided_at, "verdict": each.verdict, "by": each.decided_by, "reason": each.reason}
            for each in said.verdicts
            if (each.tenant_id, each.experiment_id) == (stand["tenant_id"], stand["experiment_id"])
        ]
        panels = list(_panels(stand, rows, channels, journal, _beside(stand, stands, said.results)))
        name = page_name(stand["tenant_id"], stand["experiment_id"])
        topic = Topic(
            name=name.removesuffix(".html").replace("/", "--"),
            title=stand["experiment_id"],
            says=stand["verdict"],
            panels=[panel for panel, _ in panels],
            assets=("marts/exp_results", "marts/exp_decisions", "ops/experiment_kills", "reports/experiments"),
            see=(Link("all experiments", INDEX),),
        )
        answers = {panel.name: Answer(found) for panel, found in panels}
        zone = site.zones.get(stand["tenant_id"], "UTC")
        made |= frame.page(site, topic, Scope(stand["tenant_id"], zone), answers, name=name)
    return made


def _standing(decision: Row, verdict: Verdict | None) -> dict[str, Any]:
    """What the decision says, unless the journal says that it is stopped."""
    if verdict is None or verdict.verdict != "killed":
        return dict(decision)
    told = {"status": "killed", "serve": "control", "verdict": f"Stopped: {verdict.reason}. Control is served to everybody."}
    return {**decision, **told}


def _own(rows: Sequence[Row], version: Mapping[str, Any]) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in version.items())]


def _panels(
    stand: Row, rows: Sequence[Row], channels: Sequence[Row], journal: Sequence[Row], beside: Sequence[Row]
) -> Iterator[tuple[Panel, Sequence[Row]]]:
    of = f"tenant_id = '{stand['tenant_id']}' and experiment_id = '{stand['experiment_id']}'"
    figures = (
        Column("status", "Status", "word"), Column("serve", "Served"), Column("look_count", "Looks", "count"),
        Column("power", "Power reached for the effect worth finding", "ratio"), Column("valid_from", "Since", "moment"),
    )  # fmt: skip
    yield (
        Panel("now", "Where it stands", "What is served, and how much is known?", _select("exp_decisions", of), figures, form="figures"),
        [stand],
    )
    by_curve: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_curve[row["metric"], row["variant"]].append(row)
    for (metric, variant), curve in sorted(by_curve.items(), key=lambda item: (_ORDER.index(item[1][0]["role"]), item[0])):
        where = f"{of} and metric = '{metric}' and variant = '{variant}'"
        yield Panel(
            f"effect--{metric}--{variant}", f"{metric} ({curve[0]['role']}): {variant} minus control",
            "How big is the difference at each look? Inner: 95 % at one look; outer: 95 % at all looks together.",
            _select("exp_results", where, "look_date"), (_LOOK, *_EFFECT),
            Chart("line", "look_date", ("effect",), y_title="effect", mark=0.0, bands=(
                Band("always_low", "always_high", "95 % at all looks"), Band("ci_low", "ci_high", "95 % at one look"),
            )),
        ), curve  # fmt: skip
        if any(row["boundary"] is not None for row in curve):
            yield Panel(
                f"boundary--{metric}--{variant}", f"{metric}: sequential boundary, {variant}",
                "Is it stopped for harm? It is where the statistic (z, harm upwards) passes the boundary.",
                _select("exp_results", where, "look_date"),
                (_LOOK, Column("statistic", "Statistic (z)", "number"), Column("boundary", "Stopped above", "number", colour="--c4")),
                Chart("line", "look_date", ("statistic", "boundary"), y_title="z, harm upwards"),
            ), curve  # fmt: skip
    srm = list({row["look_date"]: row for row in rows if row["srm_p"] is not None}.values())
    if srm:
        yield Panel(
            "mismatch", "Sample ratio mismatch: p-value by look",
            "Do the arms hold their allocation? Below 0.01 no number here is worth anything.",
            _select("exp_results", of, "look_date"), (_LOOK, Column("srm_p", "p", "number")),
            Chart("line", "look_date", ("srm_p",), y_title="p", mark=0.01),
        ), srm  # fmt: skip
    yield _last_look(of), [row for row in rows if row["look_date"] == rows[-1]["look_date"]] if rows else []
    yield _by_channel(of), channel_rows(channels, rows)
    yield _by_tenant(), beside
    findings = json.loads(stand["findings"])
    yield Panel(
        "findings", "Findings", "What is to be known before the numbers are believed?", _select("exp_decisions", of),
        (Column("kind", "Finding", "word"), Column("detail", "What")), empty="None.",
    ), [{**each, "tenant_id": stand["tenant_id"]} for each in findings]  # fmt: skip
    yield Panel(
        "journal", "Kills and their ends", "Who or what stopped it, and who let it go on?", _JOURNAL.format(of),
        (Column("at", "When", "moment"), Column("verdict", "What"), Column("by", "By"), Column("reason", "Why")), store="state",
        empty="It was never stopped.",
    ), [{**each, "tenant_id": stand["tenant_id"]} for each in journal]  # fmt: skip


def _last_look(of: str) -> Panel:
    return Panel(
        "last", "Last look", "Everything that is known, by metric and variant.", _select("exp_results", of, "look_date"),
        (
            Column("metric", "Metric"), Column("role", "Role"), Column("variant", "Variant"), *_ARMS, *_EFFECT,
            Column("p_value", "p", "number"), Column("p_holm", "p (Holm)", "number"),
            Column("srm_p", "SRM p", "number"), Column("reason", "Without a number", "word"),
        ), empty="It has not been looked at yet: the first look is the end of the tenant's first whole day.",
    )  # fmt: skip


def _by_channel(of: str) -> Panel:
    return Panel(
        "channels", "By channel", "Does it work on some channels only? A difference between channels is a hint, and no finding.",
        _select("exp_channels", of),
        (
            Column("channel", "Channel"), Column("variant", "Variant"), *_ARMS, *_EFFECT[:3], Column("reason", "Without a number", "word"),
        ), empty="Nothing by channel: there are no units yet, or the metric is a ratio.",
    )  # fmt: skip


def _by_tenant() -> Panel:
    return Panel(
        "tenants", "By tenant", "How does the same experiment do elsewhere?", _select("exp_decisions", "is_current"),
        (Column("tenant", "Tenant"), Column("status", "Status", "word"), *_EFFECT[:3], Column("verdict", "Verdict")),
    )  # fmt: skip


def _beside(stand: Row, stands: Sequence[Row], results: Sequence[Row]) -> list[Row]:
    """The same experiment of every tenant that has it, this one first: its last look at the primary metric."""
    rows: list[Row] = []
    for each in sorted(stands, key=lambda each: (each["tenant_id"] != stand["tenant_id"], each["tenant_id"])):
        if each["experiment_id"] == stand["experiment_id"]:
            version = {name: each[name] for name in ("tenant_id", "experiment_id", "valid_from")}
            primary = [row for row in _own(results, version) if row["role"] == "primary"]
            last = max(primary, key=lambda row: row["look_date"], default={})
            rows.append({**last, **each, "tenant": each["tenant_id"], "tenant_id": stand["tenant_id"]})
    return rows


def channel_rows(channels: Sequence[Row], results: Sequence[Row]) -> list[Row]:
    """Each treatment on the primary metric against the control of the same channel, with a 95 % interval by Welch.

    Looked at this way an experiment is cut into parts: a difference between channels is a hint, and no finding. Ratios are left out.
    """
    primary = next((row for row in results if row["role"] == "primary" and row["kind"] != "ratio"), None)
    own = [row for row in channels if primary is not None and row["metric"] == primary["metric"]]
    treated = {row["variant"] for row in results}
    controls = {row["channel"]: row for row in own if row["variant"] not in treated}
    lines: list[Row] = []
    for row in sorted(own, key=lambda row: (row["channel"], row["variant"])):
        control = controls.get(row["channel"])
        if row["variant"] not in treated or control is None:
            continue
        here, there = (Moments.from_variance(each["n"], each["mean"], each["variance"] or 0.0) for each in (control, row))
        found = compare(here, there)
        numbers: dict[str, Any] = {"reason": ""} if isinstance(found, Comparison) else {"reason": found.reason}
        if isinstance(found, Comparison):
            numbers |= {"effect": found.effect, "ci_low": found.ci_low, "ci_high": found.ci_high}
        common = {"tenant_id": row["tenant_id"], "channel": row["channel"], "variant": row["variant"]}
        units = {"control_units": control["n"], "treatment_units": row["n"], "control": control["mean"], "treatment": row["mean"]}
        lines.append({**common, **units, **numbers})
    return lines


def _select(table: str, where: str, order: str = "") -> str:
    name = table if "." in table else f"marts.{table}"
    return f"select * from {name}\nwhere {where}" + (f"\norder by {order}" if order else "")
