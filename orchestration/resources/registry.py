"""Models in MLflow's registry and in Postgres: files and aliases there, versions, champions and predictions in schema `ops`.

Here belongs the port `core.model_ports.Registry`. The journal in `ops` decides; MLflow's aliases repeat it for whoever looks there, and are
put right at the next change where a process died in between. Not here: what a file holds (`ml.model_file`), who becomes champion
(`core.models`).
"""

import json
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from core.actions import Action
from core.models import RULE, Change, GovernanceError, ModelPolicy, ModelVersion, Prediction, action_of, champions
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.durable import make_durable
from orchestration.resources.lifetimes import lifetime, valid_row
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

if TYPE_CHECKING:
    from mlflow import MlflowClient

_POLICIES = "model_policies"
_SCHEMA = "mlflow"
_LOCK = 5_146_007_031  # the advisory lock of whoever makes MLflow's tables
_LOG = logging.getLogger(__name__)
_VERSION = ModelVersion.__struct_fields__
_CHANGE = Change._fields
_LOGGED = tuple(name for name in Prediction.__struct_fields__ if name not in {"outcome", "outcome_at"})
_JSON = {"card", "evidence", "parts", "details"}


class MlflowRegistry:
    """The registry of one installation: files under a folder, everything else in its PostgreSQL."""

    def __init__(self, state: State, vault: Vault, folder: Path) -> None:
        """Take the state, the vault whose key signs the audit log, and the folder of the models; nothing is opened yet."""
        self._state = state
        self._audit = PostgresAudit(state, vault)
        self._folder = folder
        self._kept: MlflowClient | None = None

    def store(self, draft: ModelVersion, data: bytes, page: str) -> ModelVersion:
        """Keep a new version: file and card durably in the folder, registered in MLflow, then written down in `ops`, which makes it count.

        A process that dies before the last step leaves a file and a number in MLflow that nobody uses.
        """
        client, name = self._client(), registered(draft.tenant_id, draft.model)
        if not client.search_registered_models(f"name = '{name}'", max_results=1):
            client.create_registered_model(name, tags={"tenant_id": draft.tenant_id, "model": draft.model})
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            client.create_experiment(name, artifact_location=(self._folder / name).absolute().as_uri())
            experiment = client.get_experiment_by_name(name)
        assert experiment is not None  # noqa: S101 — it was made just now
        run = client.create_run(experiment.experiment_id, tags={"sha256": draft.sha256, "trained_by": draft.trained_by})
        place = Path(name) / run.info.run_id / "artifacts"
        folder = self._folder / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.skops").write_bytes(data)
        (folder / "card.md").write_text(page, encoding="utf-8")
        make_durable([folder / "model.skops", folder / "card.md", folder])
        for metric, value in _metrics(json.loads(draft.card)).items():
            client.log_metric(run.info.run_id, metric, value)
        client.set_terminated(run.info.run_id)
        made = client.create_model_version(name, source=folder.absolute().as_uri(), run_id=run.info.run_id, tags={"sha256": draft.sha256})
        version = msgspec.structs.replace(draft, version=int(made.version), place=str(place / "model.skops"))
        with self._state.psycopg() as connection:
            connection.execute(*_insert("model_versions", {each: getattr(version, each) for each in _VERSION}))
            told = {each: getattr(version, each) for each in ("version", "sha256", "features_sha256", "rows", "positives")}
            self._audit.within(connection).append(version.tenant_id, version.trained_by, "model.stored", version.model, told)
        client.set_registered_model_alias(name, "challenger", made.version)
        return version

    def versions(self, tenant_id: str | None = None, model: str | None = None) -> Sequence[ModelVersion]:
        """All versions, the oldest first."""
        select = (
            f"select {_listed(_VERSION)} from ops.model_versions where (%(tenant)s::text is null or tenant_id = %(tenant)s) "
            "and (%(model)s::text is null or model = %(model)s) order by tenant_id, model, version"
        )
        with self._state.psycopg() as connection:
            rows = connection.execute(select, {"tenant": tenant_id, "model": model}).fetchall()
        return [ModelVersion(**dict(zip(_VERSION, row, strict=True))) for row in rows]

    def data(self, version: ModelVersion) -> bytes:
        """The file of a version as it lies there.

        Raises:
            GovernanceError: it is gone.
        """
        try:
            return (self._folder / version.place).read_bytes()
        except FileNotFoundError as error:
            message = f"{error.filename}: the file of version {version.version} of {version.model} ({version.tenant_id}) is gone"
            raise GovernanceError(f"{message}: bring it back from a backup, or roll back to another version") from error

    def changes(self, as_of: datetime | None = None) -> Sequence[Change]:
        """The journal up to a moment, or all of it, in its order."""
        select = f"select {_listed(_CHANGE)} from ops.model_changes where %s::timestamptz is null or decided_at <= %s order by number"
        with self._state.psycopg() as connection:
            return [Change._make(row) for row in connection.execute(select, (as_of, as_of))]

    def change(self, change: Change) -> bool:
        """Add an entry and ask for its action, in one transaction; False where another follows the same entry already."""
        row = change._asdict()
        del row["number"]
        try:
            with self._state.psycopg() as connection:
                connection.execute(*_insert("model_changes", row))
                _request(connection, action_of(change, lifetime(RULE, change.decided_at)))
                told = {each: getattr(change, each) for each in ("version", "follows", "reason", "action_id")}
                told |= {"evidence": json.loads(change.evidence), "decided_at": change.decided_at.isoformat()}
                self._audit.within(connection).append(change.tenant_id, change.decided_by, f"model.{change.cause}", change.model, told)
        except UniqueViolation:  # somebody else did the same in between
            return False
        return True

    def log(self, predictions: Sequence[Prediction]) -> int:
        """Keep predictions, each version's of a lead's instant once; returns how many were new."""
        names, kinds = ", ".join(_LOGGED), ", ".join(f"%({name})s" for name in _LOGGED)
        statement = f"insert into ops.predictions ({names}) values ({kinds}) on conflict do nothing"
        with self._state.psycopg() as connection, connection.cursor() as cursor:
            before = _count(connection)
            cursor.executemany(statement, [{name: getattr(each, name) for name in _LOGGED} for each in predictions])
            return _count(connection) - before

    def logged(self, as_of: datetime) -> Sequence[Prediction]:
        """All predictions made up to a moment, without outcomes."""
        select = (
            f"select {_listed(_LOGGED)} from ops.predictions where predicted_at <= %s order by tenant_id, model_name, lead_id, featured_at"
        )
        with self._state.psycopg() as connection:
            return [Prediction(**dict(zip(_LOGGED, row, strict=True))) for row in connection.execute(select, (as_of,))]

    def policy(self, model: str, moment: datetime) -> ModelPolicy:
        """What the seed `model_policies` says of a moment."""
        row = valid_row(_POLICIES, {"model": model}, moment)
        return ModelPolicy(int(row["horizon_days"]), *(float(row[name]) for name in ModelPolicy._fields[1:]))

    def tenants(self) -> Sequence[str]:
        """All tenants."""
        with self._state.psycopg() as connection:
            return [row[0] for row in connection.execute("select tenant_id from ops.tenants where tenant_id <> '' order by 1")]

    def mirror(self) -> Mapping[str, int]:
        """Point MLflow's alias `champion` where the journal says; a version that MLflow lost is told in the log, and the others go on."""
        found = {registered(*key): change.version for key, change in champions(self.changes()).items()}
        if not found:
            return {}
        client, pointed = self._client(), {}
        from mlflow import MlflowException

        for name, version in found.items():
            try:
                client.set_registered_model_alias(name, "champion", str(version))
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                _LOG.warning("MLflow does not know version %s of %s, which is champion: its alias stays where it is", version, name)
            else:
                pointed[name] = version
        return pointed

    def _client(self) -> "MlflowClient":
        """MLflow's own tables live in a schema of the same database; the first use makes them."""
        if self._kept is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            os.environ.setdefault("DO_NOT_TRACK", "true")
            with self._state.owner() as connection:
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(f"create schema if not exists {_SCHEMA}")
                connection.commit()
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")  # MLflow's own queries
                from mlflow import MlflowClient  # here: 5 s of processor time that nothing else needs

                for logger in ("alembic", "mlflow"):
                    logging.getLogger(logger).setLevel(logging.WARNING)
                url = self._state.libpq_url.replace("postgresql://", "postgresql+psycopg://", 1)
                url += ("&" if "?" in url else "?") + "options=" + quote(f"-csearch_path={_SCHEMA}", safe="")
                self._kept = MlflowClient(tracking_uri=url, registry_uri=url)
                self._kept.search_registered_models(max_results=1)
        return self._kept


def registered(tenant_id: str, model: str) -> str:
    """The name in MLflow: each tenant has its own."""
    return f"{model}--{tenant_id}"


def _metrics(card: Mapping[str, Any]) -> dict[str, float]:
    found = (card.get("quality") or {}).get("model") or {}
    return {name: float(value) for name, value in found.items() if value is not None}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{name}::text" if name in _JSON else name for name in names)


def _insert(table: str, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    values = {name: Jsonb(json.loads(value)) if name in _JSON else value for name, value in row.items()}
    return f"insert into ops.{table} ({', '.join(values)}) values ({', '.join(f'%({name})s' for name in values)})", values


def _count(connection: Connection) -> int:
    row = connection.execute("select count(*) from ops.predictions").fetchone()
    return 0 if row is None else int(row[0])


def _request(connection: Connection, action: Action) -> None:
    row = action._asdict() | {"requested_at": action.due_at, "updated_at": action.due_at, "state": "requested"}
    connection.execute(*_insert("outbox", row))
