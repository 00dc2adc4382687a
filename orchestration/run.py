"""`flexoraa run`: the job `everything`, in this process, until nothing is pending.

Here belongs the loop and its summary. Not here: what a run does (`assets`), the command line (`orchestration.cli`).
"""

import logging
import time
from datetime import datetime
from typing import Any

import dagster as dg
import msgspec
from msgspec import Struct, field

from assets.site import STATE, failed_run
from core.warehouse_ports import REBUILD
from orchestration.definitions import build_defs
from orchestration.resources.platform import Platform

MAX_ROUNDS = 3
"""What a round sends comes back as receipts in the next; a round that sends nothing is the last. More than three would be a loop."""

_CHECK_FAILED = "DagsterAssetCheckFailedError"
"""Dagster's name of how a blocking check ends its step."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Summary(Struct, kw_only=True):
    """What a run came to; printed as JSON."""

    status: str
    as_of: datetime
    rounds: int
    segments: int
    segments_repeated: int
    lines: int
    passed_over: dict[str, str]
    conservation: dict[str, dict[str, int]]
    rejected_in_this_run: dict[str, int]
    quarantine: dict[str, int]
    held_segments: list[dict[str, Any]]
    marts: dict[str, int]
    checks_passed: int
    checks_failed: list[str]
    actions: dict[str, int]
    errors: list[str]
    note: str
    seconds: float
    run_ids: list[str] = field(default_factory=list)

    def exit_code(self) -> int:
        """0: done. 1: failed. 3: done, but something is in quarantine, could not be read, or a check warned."""
        return {"ok": 0, "failed": 1, "attention": 3}[self.status]

    def json(self) -> str:
        """Indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


def run_everything(platform: Platform, known_at: datetime | None = None, *, rebuild: bool = False) -> Summary:
    """Rounds of the whole graph, until the inbox stays empty; the first failed round is the last.

    The first round makes every model anew where `rebuild` asks for it; else what is touched.

    A moment before that of the newest publication is only built: to publish it would take from the gate what it knows of later opt-outs.
    So is one of which not all is to be known (`known_at`, with which the platform was opened).
    """
    started = time.monotonic()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    totals = _Totals()
    published = platform.publisher.last_as_of()
    is_earlier = published is not None and platform.clock.now() < published
    note = ""
    if known_at is not None:
        note = f"nothing was published or sent: only what was received by {known_at:%Y-%m-%dT%H:%M:%S.%fZ} counts"
    elif is_earlier:
        note = f"nothing was published or sent: {published:%Y-%m-%dT%H:%M:%S.%fZ} was published already"
    job = build_defs(**platform.ports()).resolve_job_def("build" if note else "everything")
    with dg.DagsterInstance.from_config(str(platform.settings.dagster)) as instance:
        # pooled connections: by default each of a run's 700 events opens one of its own
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=600, max_overflow=4)
        for number in range(MAX_ROUNDS):
            tags = {REBUILD: "true"} if rebuild and number == 0 else {}
            result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=_QUIET, tags=tags)
            totals.add(result)
            if not result.success or not platform.inbox.names():
                break
    if totals.errors and not note:
        platform.pages.write({STATE: failed_run(totals.failed, result.run_id, platform.clock.now(), platform.settings.dagster_url)})
    held = [each._asdict() for each in platform.ledger.held()]
    is_attention = totals.rejected or totals.passed_over or held or totals.checks_failed or platform.inbox.names()
    status = "failed" if totals.errors else ("attention" if is_attention else "ok")
    return Summary(
        status=status,
        as_of=platform.clock.now(),
        rounds=len(totals.run_ids),
        segments=totals.numbers.get("segments", 0),
        segments_repeated=totals.numbers.get("segments_repeated", 0),
        lines=totals.numbers.get("lines", 0),
        passed_over=totals.passed_over,
        conservation={} if totals.errors else platform.warehouse.conservation(platform.ledger.counts()),
        rejected_in_this_run=dict(sorted(totals.rejected.items())),
        quarantine=platform.quarantine.states(),
        held_segments=held,
        marts={} if totals.errors else platform.warehouse.row_counts(),
        checks_passed=totals.checks_passed,
        checks_failed=sorted(set(totals.checks_failed)),
        actions=dict(sorted(totals.actions.items())),
        errors=totals.errors,
        note=note,
        seconds=round(time.monotonic() - started, 1),
        run_ids=totals.run_ids,
    )


class _Totals:
    """Sums over rounds."""

    def __init__(self) -> None:
        self.run_ids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.passed_over: dict[str, str] = {}
        self.rejected: dict[str, int] = {}
        self.actions: dict[str, int] = {}
        self.checks_passed = 0
        self.checks_failed: list[str] = []
        self.errors: list[str] = []
        self.failed: list[str] = []

    def add(self, result: dg.ExecuteInProcessResult) -> None:
        self.run_ids.append(result.run_id)
        for event in result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            self._materialized(materialization.asset_key.path, {key: value.value for key, value in materialization.metadata.items()})
        stopped: list[str] = []
        self.checks_passed, self.checks_failed = 0, []  # of the last round: it speaks of everything
        for check in result.get_asset_check_evaluations():
            if check.passed:
                self.checks_passed += 1
            else:
                name = f"{check.asset_key.to_user_string()}: {check.check_name}"
                self.checks_failed.append(name)
                if check.blocking and check.severity == dg.AssetCheckSeverity.ERROR:
                    stopped.append(f"{name}: {check.description}")
        for event in result.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                cause = error.cause if error and error.cause else error
                self.failed.append(str(event.step_key))
                self.errors.append(f"{event.step_key}: {_why(cause, stopped)}")
        if not result.success and not self.errors:  # it failed before its first step, or after its last
            words = [event.message or event.event_type_value for event in result.all_events if event.is_failure]
            self.errors.append("; ".join(words) or "the run failed")

    def _materialized(self, path: Any, metadata: dict[str, Any]) -> None:
        match list(path):
            case ["lake", "messages"]:  # every lake table carries the counts of the whole intake
                for name in ("segments", "segments_repeated", "lines"):
                    self.numbers[name] = self.numbers.get(name, 0) + metadata[name]
                self.passed_over = metadata["passed_over"]  # of the last round: what could be read then is no news
                for reason, count in metadata["rejected_by_reason"].items():
                    self.rejected[reason] = self.rejected.get(reason, 0) + count
            case ["ops", "deliveries"]:
                for name, count in metadata.items():
                    self.actions[name] = self.actions.get(name, 0) + count


def _why(cause: Any, stopped: list[str]) -> str:
    """Dagster only names the checks that failed; what they found is the reason."""
    if cause is None:
        return "failed"
    return "; ".join(stopped) if stopped and cause.cls_name == _CHECK_FAILED else str(cause.message).strip()
