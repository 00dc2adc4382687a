"""What was taken in and what was turned away: segments, their counts, those that are held whole, and the directory of connections.

Here belongs the state that ingestion keeps in schema `ops`. Not here: how a segment is read (`assets.intake`), what becomes of the
quarantine (`quarantine`), the tenants file.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

import core
from core.holding import HeldSegment
from core.intake import Account, Directory
from core.ports import Clock, Count, Held, Segment
from core.quarantine import quarantine_id
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.state import State
from orchestration.resources.vault import PLATFORM, Vault


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
            "path": _name(segment),
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
            taken = text("update ops.held_segments set state = 'taken' where segment_id = :segment_id")
            connection.execute(taken, {"segment_id": segment.segment_id})
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

    def taken_in(self, starts: Collection[str]) -> Mapping[str, tuple[str, datetime]]:
        """Id and moment of the segments that were taken in, by the first 16 digits of the id."""
        query = text("select left(segment_id, 16), segment_id, ingested_at from ops.segments where left(segment_id, 16) = any(:starts)")
        with self._state.begin() as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(query, {"starts": list(starts)})}

    def circumstances(self) -> str:
        """A digest of all connections and of the decoders' code: where it is the same, the same bytes are as broken as before."""
        query = text("select coalesce(md5(string_agg(tenant_id || ' ' || config_sha256, ',' order by tenant_id)), '') from ops.tenants")
        with self._state.begin() as connection:
            return f"{connection.execute(query).scalar_one()}:{_decoders()}"

    def hold(self, segment: Segment, verdicts: Sequence[Mapping[str, Any]], tried_with: str) -> None:
        """Note that a segment is held, and under which circumstances it was tried."""
        query = text(
            "insert into ops.held_segments (segment_id, path, size_bytes, state, held_at, tried_with, verdicts) values "
            "(:segment_id, :path, :size_bytes, 'held', :held_at, :tried_with, cast(:verdicts as jsonb)) "
            "on conflict (segment_id) do update set state = 'held', path = excluded.path, tried_with = excluded.tried_with, "
            "verdicts = excluded.verdicts"
        )
        row = {
            "segment_id": segment.segment_id,
            "path": _name(segment),
            "size_bytes": segment.size_bytes,
            "held_at": self._clock.now(),
            "tried_with": tried_with,
            "verdicts": json.dumps(verdicts),
        }
        with self._state.begin() as connection:
            connection.execute(query, row)

    def held(self) -> Sequence[HeldSegment]:
        """Segments that are held, or released and not yet taken in, oldest first."""
        return self._held("state <> 'taken'", {})

    def to_try(self, tried_with: str) -> Sequence[HeldSegment]:
        """Those of them that were released, or last tried under other circumstances."""
        return self._held("state = 'released' or (state = 'held' and tried_with <> :tried_with)", {"tried_with": tried_with})

    def is_released(self, segment_id: str) -> bool:
        """Whether a person has decided that it is taken in, however much of it is broken."""
        return bool(self._held("state = 'released' and segment_id = :segment_id", {"segment_id": segment_id}))

    def release(self, segment_id: str) -> HeldSegment | None:
        """Decide it; None where no held segment's id begins so, or several do."""
        found = self._held("state <> 'taken' and segment_id like :start", {"start": segment_id.replace("%", "") + "%"})
        if len(found) != 1:
            return None
        with self._state.begin() as connection:
            query = text("update ops.held_segments set state = 'released' where segment_id = :segment_id")
            connection.execute(query, {"segment_id": found[0].segment_id})
            audit = PostgresAudit(self._state, self._vault).within(connection)
            audit.append(PLATFORM, machine_user(), "segment.released", found[0].segment_id, {})
        return found[0]

    def _held(self, where: str, values: Mapping[str, str]) -> list[HeldSegment]:
        query = text(f"select segment_id, path, state, held_at, verdicts from ops.held_segments where {where} order by held_at, segment_id")
        with self._state.begin() as connection:
            rows: Sequence[Any] = connection.execute(query, values).all()
        return [HeldSegment(*row) for row in rows]

    def counts(self) -> Mapping[tuple[str, str, str], Count]:
        """Counts by (segment, tenant, source), of all segments."""
        query = text("select segment_id, tenant_id, source, received, accepted, rejected, replayed from ops.segment_counts")
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


def _name(segment: Segment) -> str:
    return segment.path.name.encode(errors="replace").decode()  # a file name need not be UTF-8


def _held_row(segment: Segment, held: Held) -> dict[str, object]:
    return {"quarantine_id": quarantine_id(segment.segment_id, held), "segment_id": segment.segment_id, **held._asdict()}


@cache
def _decoders() -> str:
    """A digest of the code that decides whether a line can be taken in."""
    package = Path(core.__file__).parent
    files = sorted([*package.glob("*.py"), *(package / "sources").glob("*.py")])
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]
