"""What was taken in and what was turned away: segments, their counts, the quarantine, and the directory of connections.

Here belongs the state that ingestion keeps in schema `ops`. Not here: how a segment is read (`assets.intake`), the tenants file.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.intake import Account, Directory
from core.ports import Clock, Count, Held, Segment
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.state import State
from orchestration.resources.vault import Vault


class PostgresLedger:
    """The tables `ops.segments`, `ops.segment_counts` and `ops.quarantine`."""

    def __init__(self, state: State, vault: Vault, clock: Clock, google_keys: GoogleKeys | None = None) -> None:
        """`vault` holds secrets, `clock` says when a segment was taken in, `google_keys` with what Gmail's pushes are signed."""
        self._google_keys = google_keys
        self._state = state
        self._vault = vault
        self._clock = clock

    def known(self, segment_ids: Collection[str]) -> set[str]:
        """Those that are taken in already."""
        query = text("select segment_id from ops.segments where segment_id = any(:ids)")
        with self._state.begin() as connection:
            return set(connection.execute(query, {"ids": list(segment_ids)}).scalars())

    def record(self, segment: Segment, line_count: int, detail: str, counts: Sequence[Count], held: Sequence[Held]) -> None:
        """Note a segment as taken in, with its counts and rejects, in one transaction; again changes nothing."""
        row = {
            "segment_id": segment.segment_id,
            "path": segment.path.name.encode(errors="replace").decode(),  # a file name need not be UTF-8
            "size_bytes": segment.size_bytes,
            "line_count": line_count,
            "ingested_at": self._clock.now(),
            "detail": detail,
        }
        with self._state.begin() as connection:
            connection.execute(
                text(
                    "insert into ops.segments (segment_id, path, state, size_bytes, line_count, ingested_at, detail) values "
                    "(:segment_id, :path, 'ingested', :size_bytes, :line_count, :ingested_at, :detail) on conflict do nothing"
                ),
                row,
            )
            if counts:
                connection.execute(
                    text(
                        "insert into ops.segment_counts (segment_id, tenant_id, source, received, accepted, rejected) values "
                        "(:segment_id, :tenant_id, :source, :received, :accepted, :rejected) on conflict do nothing"
                    ),
                    [{"segment_id": segment.segment_id, **each._asdict()} for each in counts],
                )
            if held:
                connection.execute(
                    text(
                        "insert into ops.quarantine (quarantine_id, segment_id, line, item, tenant_id, source, account_id, reason, "
                        "place, detail, received_at, body_enc, key_id) values (:quarantine_id, :segment_id, :line, :item, "
                        ":tenant_id, :source, :account_id, :reason, :place, :detail, :received_at, :body_enc, :key_id) "
                        "on conflict do nothing"
                    ),
                    [_held_row(segment, each) for each in held],
                )

    def counts(self) -> Mapping[tuple[str, str, str], Count]:
        """Counts by (segment, tenant, source), of all segments."""
        query = text("select segment_id, tenant_id, source, received, accepted, rejected from ops.segment_counts")
        with self._state.begin() as connection:
            return {(row[0], row[1], row[2]): Count(*row[1:]) for row in connection.execute(query)}

    def refusals(self) -> Mapping[str, int]:
        """Held items of the quarantine by reason."""
        query = text("select reason, count(*) from ops.quarantine where state = 'held' group by reason order by reason")
        with self._state.begin() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def directory(self) -> Directory:
        """All connections of all tenants, with the secrets that sign for them."""
        accounts: dict[tuple[str, str], list[Account]] = defaultdict(list)
        query = text(
            "select r.tenant_id, r.body, t.body ->> 'default_region' from ops.reference r join ops.reference t "
            "on t.tenant_id = r.tenant_id and t.section = 'tenants' where r.section = 'connections' order by 1, r.row_key"
        )
        with self._state.begin() as connection:
            rows: Sequence[Any] = connection.execute(query).all()
        secrets_of = self._vault.secrets.all_verify_secrets()
        for tenant_id, body, region in rows:
            valid_from = datetime.fromisoformat(body["valid_from"])
            valid_to = datetime.fromisoformat(body["valid_to"]) if body.get("valid_to") else None
            secrets = secrets_of.get((tenant_id, body["connection_id"], valid_from), ())
            if body["source"] == "gmail" and self._google_keys is not None:
                secrets = tuple(self._google_keys.complete(secret) for secret in secrets)
            accounts[body["source"], body["account_id"]].append(Account(tenant_id, region, valid_from, valid_to, secrets))
        return Directory(accounts)


def _held_row(segment: Segment, held: Held) -> dict[str, object]:
    return {
        "quarantine_id": f"{segment.segment_id[:32]}-{held.line}-{held.item}",
        "segment_id": segment.segment_id,
        **held._asdict(),
    }
