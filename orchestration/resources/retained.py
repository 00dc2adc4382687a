"""Tenants' rules on what is kept how long, applied: payloads, answers of providers, words of events.

Here belongs what each name of a rule means and its removal; facts and counts stay. Not here: rules and holds themselves (`retention`),
bodies of the quarantine and raw segments (`quarantine`, `inbox`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES
from orchestration.resources.lake import FolderLake
from orchestration.resources.retention import PostgresRetention, Rule
from orchestration.resources.state import State

WORDS = {f"lake.{each.table}": each for each in EVENT_TYPES if any(one.role in {"personal", "sealed"} for one in columns(each))}
"""Tables of the lake of which the words may be kept for a time: texts, names, reasons, fragments; each event stays."""

KEPT: Mapping[str, str] = {
    "quarantine": "bodies that were turned away",
    "outbox": "payloads of actions that are over",
    "delivery_attempts": "what providers answered",
    **{name: f"words of {name.removeprefix('lake.')}" for name in WORDS},
}
"""What a rule may be on, in words."""

_OVER = "('sent', 'rejected', 'unknown', 'expired', 'cancelled')"
_PAYLOADS = (
    "update ops.outbox set details = '{}' where tenant_id = %s and updated_at < %s and details <> '{}' "
    f"and state in {_OVER} and not coalesce(lead_id = any(%s), false)"
)
_ANSWERS = (
    "update ops.delivery_attempts as a set detail = null, request_sha256 = null, response_sha256 = null from ops.outbox as o "
    "where a.action_id = o.action_id and a.tenant_id = %s and a.started_at < %s and not coalesce(o.lead_id = any(%s), false) "
    "and (a.detail is not null or a.request_sha256 is not null or a.response_sha256 is not null)"
)


class Retained:
    """The port `assets.retention.Retention`."""

    def __init__(self, state: State, lake: FolderLake, reference: Path, rules: PostgresRetention) -> None:
        """`reference`: where the last run wrote which lead holds which point."""
        self._state = state
        self._lake = lake
        self._reference = reference
        self._rules = rules

    def is_any_held(self) -> bool:
        """Whether any legal hold is in force."""
        return bool(self._rules.holds())

    def apply(self, as_of: datetime) -> Mapping[str, int]:
        """Remove what the rules no longer keep; of a tenant under a hold nothing, of a lead under one nothing of the lead."""
        holds = self._rules.holds()
        found = {}
        for rule in self._rules.rules():
            mine = [each for each in holds if each.tenant_id == rule.tenant_id]
            if rule.days is not None and rule.kept != "quarantine" and all(each.lead_id is not None for each in mine):
                leads = [each.lead_id for each in mine if each.lead_id is not None]
                found[f"{rule.tenant_id} {rule.kept}"] = self._remove(rule, as_of - timedelta(days=rule.days), leads)
        return found

    def _remove(self, rule: Rule, before: datetime, leads: list[str]) -> int:
        if rule.kept in WORDS:
            from orchestration.erasure.lake import wipe_old  # here: 0.2 s of frame libraries that no other rule needs

            with self._lake.files.alone():
                return wipe_old(self._lake.files, WORDS[rule.kept], rule.tenant_id, before, self._points(rule.tenant_id, leads))
        statement = _PAYLOADS if rule.kept == "outbox" else _ANSWERS
        with self._state.psycopg() as connection:
            return connection.execute(statement, (rule.tenant_id, before, leads)).rowcount

    def _points(self, tenant_id: str, leads: list[str]) -> list[str]:
        path = self._reference / "lead_points.parquet"
        if not leads or not path.exists():
            return []
        rows = pq.read_table(path, columns=["tenant_id", "lead_id", "point_id"]).to_pylist()
        return [row["point_id"] for row in rows if row["tenant_id"] == tenant_id and row["lead_id"] in leads]
