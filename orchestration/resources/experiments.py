"""Experiments in Postgres: their configuration as verdicts left it, published decisions, and the journal `ops.experiment_verdicts`.

Here belongs reading them, and adding a verdict together with the action that tells of it. Not here: who is to be killed (`core.plans`),
what a verdict does to the configuration (`core.timeline`), the command (`orchestration.experiment_command`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from core.actions import Action
from core.experiments import RULE, Configured, ExperimentDecision, Kill, Publication, Verdict, standing, switch_action, switch_id
from core.reference import Experiment, ExperimentMetric, Tenant
from core.sealing import SealError, seal, unseal
from core.timeline import timeline
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.lifetimes import lifetime
from orchestration.resources.reference import read_rows
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from orchestration.resources.verdicts import verdicts

_DECISION = ", ".join(ExperimentDecision.__struct_fields__)
_VALUES = ", ".join(f"%({name})s" for name in (*Action._fields, "now"))
_REQUEST = f"insert into ops.outbox ({', '.join(Action._fields)}, requested_at, state, updated_at) values ({_VALUES}, 'requested', %(now)s)"


class ExperimentError(Exception):
    """What was asked for makes no sense or is not allowed; the message says why and what to do."""


class PostgresExperiments:
    """The port `core.experiments.Experiments`, and the journal for people."""

    def __init__(self, state: State, vault: Vault) -> None:
        """Take the state, and the vault under whose keys people's words are sealed."""
        self._state = state
        self._vault = vault
        self._audit = PostgresAudit(state, vault)

    def configured(self, as_of: datetime) -> Configured:
        """All versions of all experiments, with what verdicts up to a moment made of them."""
        return timeline(self.declared(), self.verdicts(as_of))

    def declared(self) -> Configured:
        """As the tenants file says, whatever was killed."""
        with self._state.psycopg() as connection:
            applied = dict(connection.execute("select tenant_id, applied_at from ops.tenants").fetchall())
        return Configured(read_rows(self._state, Experiment), read_rows(self._state, ExperimentMetric), applied)

    def timezones(self) -> Mapping[str, str]:
        """Of each tenant."""
        return {each.tenant_id: each.timezone for each in read_rows(self._state, Tenant)}

    def verdicts(self, as_of: datetime) -> Sequence[Verdict]:
        """Up to a moment, in their order."""
        return verdicts(self._state, as_of)

    def notes(self, as_of: datetime) -> Mapping[int, str]:
        """What people wrote, by the number of the verdict."""
        select = (
            "select number, tenant_id, action_id, note_enc from ops.experiment_verdicts where note_enc is not null and decided_at <= %s"
        )
        with self._state.psycopg() as connection:
            rows = connection.execute(select, (as_of,), binary=True).fetchall()
        found = {}
        for number, tenant_id, action_id, note_enc in rows:
            try:
                found[number] = unseal(self._key(tenant_id), note_enc, action_id.encode()).decode()
            except SealError:
                found[number] = "(cannot be opened)"
        return found

    def published(self) -> Publication:
        """The newest decisions in `serving`."""
        with self._state.psycopg() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            moment = connection.execute("select max(as_of) from ops.publications").fetchone()
            there = connection.execute("select to_regclass('serving.exp_decisions')").fetchone()
            if there is None or there[0] is None:
                return Publication(None if moment is None else moment[0], [])
            order = "order by tenant_id, experiment_id, valid_from"
            rows = connection.execute(f"select {_DECISION} from serving.exp_decisions {order}").fetchall()
        names = ExperimentDecision.__struct_fields__
        found = [msgspec.convert(dict(zip(names, row, strict=True)), ExperimentDecision) for row in rows]
        return Publication(None if moment is None else moment[0], found)

    def kill(self, kill: Kill, decided_at: datetime, decided_by: str, note: str | None = None) -> bool:
        """Record a kill and ask for its action, in one transaction; False where the experiment is killed already."""
        before = self._newest(kill.tenant_id, kill.experiment_id)
        if before is not None and before.verdict == "killed":
            return False
        follows = 0 if before is None else before.number
        action_id = switch_id(kill.tenant_id, kill.experiment_id, follows)
        verdict = Verdict(kill.tenant_id, kill.experiment_id, follows, "killed", decided_at, decided_by, *kill[2:], action_id)
        return self._record(verdict, note)

    def resume(self, tenant_id: str, experiment_id: str, decided_at: datetime, decided_by: str, note: str) -> bool:
        """End a kill; False where the experiment is not killed.

        Raises:
            ExperimentError: it was killed at a later moment than this.
        """
        before = self._newest(tenant_id, experiment_id)
        if before is None or before.verdict != "killed":
            return False
        if decided_at < before.decided_at:
            raise ExperimentError(f"{experiment_id} was killed at {before.decided_at.isoformat()}: it cannot be resumed before that")
        action_id = switch_id(tenant_id, experiment_id, before.number)
        reason = "resumed by a manager"
        verdict = Verdict(tenant_id, experiment_id, before.number, "resumed", decided_at, decided_by, "manual", reason, "{}", action_id)
        return self._record(verdict, note)

    def _newest(self, tenant_id: str, experiment_id: str) -> Verdict | None:
        return standing(verdicts(self._state, None)).get((tenant_id, experiment_id))

    def _record(self, verdict: Verdict, note: str | None) -> bool:
        row = verdict._asdict() | {"evidence": Jsonb(json.loads(verdict.evidence))}
        del row["number"]
        row["note_enc"] = None if note is None else seal(self._key(verdict.tenant_id), note.encode(), verdict.action_id.encode())
        insert = f"insert into ops.experiment_verdicts ({', '.join(row)}) values ({', '.join(f'%({name})s' for name in row)})"
        action = switch_action(verdict, lifetime(RULE, verdict.decided_at))
        try:
            with self._state.psycopg() as connection:
                connection.execute(insert, row)
                _request(connection, action)
                told = {name: getattr(verdict, name) for name in ("cause", "reason", "follows", "action_id")}
                told |= {"evidence": json.loads(verdict.evidence), "decided_at": verdict.decided_at.isoformat()}
                named = (verdict.decided_by, f"experiment.{verdict.verdict}", verdict.experiment_id)
                self._audit.within(connection).append(verdict.tenant_id, *named, told)
        except UniqueViolation:  # somebody else did the same in between
            return False
        return True

    def _key(self, tenant_id: str) -> bytes:
        return self._vault.tenant_key(tenant_id, "experiments")


def _request(connection: Connection, action: Action) -> None:
    row = action._asdict() | {"details": Jsonb(json.loads(action.details)), "now": action.due_at}
    connection.execute(_REQUEST, row)
