"""How long each tenant keeps what, and legal holds: `ops.retention_rules` and `ops.legal_holds`, added to, never changed.

Here belongs reading both and adding to them. Not here: removing (`assets.retention`), what each thing kept is (`retained`).
"""

from datetime import datetime
from typing import NamedTuple

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from core.privacy import PrivacyError
from core.sealing import SealError, seal, unseal
from orchestration.resources.state import State
from orchestration.resources.vault import Vault


class Rule(NamedTuple):
    """The newest row of a tenant and what it keeps; `days` None: the rule was taken back."""

    tenant_id: str
    kept: str
    days: int | None
    decided_by: str
    decided_at: datetime


class Hold(NamedTuple):
    """A hold that is in force; `lead_id` None: on all of the tenant."""

    hold_id: str
    tenant_id: str
    lead_id: str | None
    decided_by: str
    decided_at: datetime


class PostgresRetention:
    """The two tables."""

    def __init__(self, state: State, vault: Vault) -> None:
        """`vault`: under whose keys reasons are sealed."""
        self._state = state
        self._vault = vault

    def rules(self, tenant_id: str | None = None) -> list[Rule]:
        """What stands, of one tenant or of all."""
        select = (
            f"select distinct on (tenant_id, kept) {', '.join(Rule._fields)} from ops.retention_rules "
            "where %s::text is null or tenant_id = %s order by tenant_id, kept, number desc"
        )
        with self._state.psycopg() as connection:
            rows = connection.execute(select, (tenant_id, tenant_id)).fetchall()
        return [rule for rule in map(Rule._make, rows) if rule.days is not None]

    def set(self, rule: Rule) -> None:
        """Add a rule in the place of the one that stands."""
        with self._state.psycopg() as connection:
            connection.execute(
                "insert into ops.retention_rules (tenant_id, kept, days, decided_by, decided_at) values (%s, %s, %s, %s, %s)", rule
            )

    def holds(self, tenant_id: str | None = None) -> list[Hold]:
        """Those in force, of one tenant or of all."""
        select = (
            f"select {', '.join(f'h.{name}' for name in Hold._fields)} from ops.legal_holds as h "
            "where (%s::text is null or h.tenant_id = %s) and h.releases is null "
            "and not exists (select from ops.legal_holds as r where r.releases = h.hold_id) order by h.decided_at, h.hold_id"
        )
        with self._state.psycopg() as connection:
            return [Hold._make(row) for row in connection.execute(select, (tenant_id, tenant_id))]

    def hold(self, hold: Hold, reason: str, releases: str | None = None) -> None:
        """Add a hold, or the end of one.

        Raises:
            PrivacyError: it was released already.
        """
        sealed = seal(self._key(hold.tenant_id), reason.encode(), hold.hold_id.encode())
        try:
            with self._state.psycopg() as connection:
                connection.execute(
                    f"insert into ops.legal_holds ({', '.join(Hold._fields)}, releases, reason_enc) values (%s, %s, %s, %s, %s, %s, %s)",
                    (*hold, releases, sealed),
                )
        except (UniqueViolation, ForeignKeyViolation) as error:
            raise PrivacyError("no_hold", f"{releases or hold.hold_id} is no hold in force: flexoraa retention list shows those") from error

    def reason(self, hold: Hold) -> str:
        """Why it was set."""
        with self._state.psycopg() as connection:
            row = connection.execute("select reason_enc from ops.legal_holds where hold_id = %s", (hold.hold_id,), binary=True).fetchone()
        try:
            return "" if row is None else unseal(self._key(hold.tenant_id), row[0], hold.hold_id.encode()).decode()
        except SealError:
            return ""

    def _key(self, tenant_id: str) -> bytes:
        return self._vault.tenant_key(tenant_id, "retention")
