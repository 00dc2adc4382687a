"""Baselines of models and the journal of drift, in Postgres.

Here belongs reading and adding to both. Not here: what a verdict says (`ml.drift`), rows that models scored (`scored_rows`).
"""

import hashlib
import json
from collections.abc import Sequence

from psycopg.types.json import Jsonb

from core.drift_ports import DriftVerdict, Served, StoredBaseline
from orchestration.resources.state import State

_FIELDS = "week_date, look, severity, state, reasons, row_count, digest, level_warn, level_critical, judged_at"


class DriftError(Exception):
    """A baseline or a look that cannot be; the message says why and what to do."""


class PostgresDrift:
    """The ports `Baselines` and `DriftJournal` over the state."""

    def __init__(self, state: State) -> None:
        """Take the state."""
        self._state = state

    def freeze(self, stored: StoredBaseline) -> bool:
        """Keep one; False where this version has the same already.

        Raises:
            DriftError: this version has another: history was judged by it, so a new one needs a new version.
        """
        sha256 = hashlib.sha256(stored.baseline).hexdigest()
        insert = (
            "insert into ops.model_baselines (tenant_id, model, version, baseline, sha256, frozen_at) values (%s, %s, %s, %s, %s, %s) "
            "on conflict do nothing"
        )
        with self._state.psycopg() as connection:
            row = (*stored.served, Jsonb(json.loads(stored.baseline)), sha256, stored.frozen_at)
            if connection.execute(insert, row).rowcount:
                return True
            select = "select sha256 from ops.model_baselines where (tenant_id, model, version) = (%s, %s, %s)"
            there = connection.execute(select, stored.served).fetchone()
        if there is not None and there[0] != sha256:
            tenant_id, model, version = stored.served
            raise DriftError(f"{model} {version} of {tenant_id} has a baseline already, and another: a new baseline takes a new version")
        return False

    def baseline(self, served: Served) -> StoredBaseline | None:
        """Of a version."""
        select = "select baseline::text, frozen_at from ops.model_baselines where (tenant_id, model, version) = (%s, %s, %s)"
        with self._state.psycopg() as connection:
            row = connection.execute(select, served).fetchone()
        return None if row is None else StoredBaseline(served, row[0].encode(), row[1])

    def models(self) -> Sequence[tuple[str, str]]:
        """Tenants and models that have any."""
        with self._state.psycopg() as connection:
            return connection.execute("select distinct tenant_id, model from ops.model_baselines order by 1, 2").fetchall()

    def record(self, verdicts: Sequence[DriftVerdict]) -> int:
        """Add them; those that are there already stay as they are. Returns how many were new."""
        places = ", ".join(["%s"] * 13)
        insert = f"insert into ops.drift_verdicts (tenant_id, model, version, {_FIELDS}) values ({places}) on conflict do nothing"
        new = 0
        with self._state.psycopg() as connection:
            for each in verdicts:
                row = each._asdict() | {"reasons": Jsonb(list(each.reasons))}
                served = row.pop("served")
                new += connection.execute(insert, (*served, *row.values())).rowcount
        return new

    def verdicts(self, tenant_id: str | None = None, model: str | None = None) -> Sequence[DriftVerdict]:
        """The oldest week first, within a week by look."""
        select = (
            f"select tenant_id, model, version, {_FIELDS} from ops.drift_verdicts "
            "where (%(tenant)s::text is null or tenant_id = %(tenant)s) and (%(model)s::text is null or model = %(model)s) "
            "order by week_date, tenant_id, model, version, look"
        )
        with self._state.psycopg() as connection:
            rows = connection.execute(select, {"tenant": tenant_id, "model": model}).fetchall()
        return [DriftVerdict(Served(*row[:3]), *row[3:]) for row in rows]
