"""The answer to an access request: one ZIP of all that is held on a person, in plain, with an inventory and hashes.

Here belongs bringing it together and writing it whole or not at all. Not here: whether it may be done (`core.privacy`).
"""

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from core.columns import columns
from core.events import EVENT_TYPES, Event
from core.privacy import PrivacyError, Request, check_executor, check_person, moved
from core.sealing import SealError, unseal
from orchestration.privacy_office import Office
from orchestration.privacy_run import Execution
from orchestration.resources.clients import alone
from orchestration.resources.compaction import scan
from orchestration.resources.lake_schema import readable
from orchestration.resources.privacy import Certificate
from orchestration.resources.vault import PLATFORM
from orchestration.resources.warehouse import WarehouseError

_WHEN = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same content gives the same bytes
_MARTS = ("lead_id", "contact_point_id")


def export(office: Office, execution: Execution, request: Request, by: str, out: Path) -> dict[str, Any]:
    """Write it, and close the request.

    Raises:
        PrivacyError: the request is none of access, not approved, or `by` approved it; or the file is in the home or exists.
    """
    stores = execution.stores
    if out.resolve().is_relative_to(stores.settings.home.resolve()) or out.exists():
        raise PrivacyError("bad_place", f"{out} exists, or lies in the home, where no plain copy of a person may lie: choose another --out")
    with alone(stores.settings.home):
        person = office.persons().lead(request.tenant_id, request.lead_id)
        try:
            if request.kind == "erasure":
                raise PrivacyError("other_kind", f"{request.request_id} asks for erasure: flexoraa gdpr run executes that")
            moved(request, "run")
            check_executor(request, by, office.requests.role(request.tenant_id, by, office.clock.now()))
            check_person(request, person.point_ids)
        except PrivacyError as error:
            office.audit.append(request.tenant_id, by, "privacy.refused", request.request_id, {"deed": "export", "code": error.code})
            raise
        begun = {"state": "running", "fence": request.fence + 1, "executed_by": by, "started_at": office.clock.now()}
        running = office.requests.change(request, begun)
        office.requests.begin_step([running], "export", office.clock.now())
        tables = held(execution, running)
        inventory = _write(out, running, tables, office.clock.now())
        office.requests.end_step([running], "export", office.clock.now(), {running.request_id: {"inventory_sha256": inventory}})
        checking = office.requests.change(running, {"state": "verifying"})
        _certify(office, checking, tables, inventory)
        closed = office.requests.change(checking, {"state": "closed", "closed_at": office.clock.now()})
    office.audit.append(
        request.tenant_id, by, "privacy.exported", request.request_id, {"inventory_sha256": inventory, "tables": len(tables)}
    )
    rows = sum(map(len, tables.values()))
    return {"request_id": request.request_id, "state": closed.state, "out": str(out), "files": 2 * len(tables) + 1, "rows": rows}


def held(execution: Execution, request: Request) -> dict[str, list[dict[str, Any]]]:
    """All that is held on the person, by table; texts opened."""
    stores = execution.stores
    points = stores.vault.reveal(request.tenant_id, request.point_ids)
    keys = stores.vault.keys(request.tenant_id, request.point_ids)
    found: dict[str, list[dict[str, Any]]] = {
        "contact_points": [{"contact_point_id": each, "kind": points[each].kind, "value": points[each].value} for each in sorted(points)]
    }
    for event_type in EVENT_TYPES:
        found[f"lake.{event_type.table}"] = _events(execution, event_type, request, keys)
    found |= _marts(execution, request)
    found["ops.outbox"] = _actions(execution, request)
    return {name: rows for name, rows in found.items() if rows}


def _events(execution: Execution, event_type: type[Event], request: Request, keys: Mapping[str, bytes]) -> list[dict[str, Any]]:
    import polars as pl  # here: 0.2 s that most commands never need

    named = [column.name for column in columns(event_type) if column.role == "point"]
    secret = [column.name for column in columns(event_type) if column.role in {"personal", "sealed"}]
    if not named:
        return []
    lake = execution.stores.lake
    with lake.files.reading():
        files = [file.path for file in readable(event_type, lake.files.live(event_type.table))]
        mine = pl.any_horizontal(*(pl.col(name).is_in(list(request.point_ids)) for name in named))
        rows: list[dict[str, Any]] = (
            scan(event_type, files)
            .filter((pl.col("tenant_id") == request.tenant_id) & mine)
            .sort("occurred_at", "event_id")
            .collect()
            .to_dicts()
        )
    for row in rows:
        key = keys.get(row["contact_point_id"] or "")
        for name in secret:
            sealed = row.pop(name, None)
            row[name.removesuffix("_enc")] = None if sealed is None or key is None else _opened(key, sealed, f"{row['event_id']}:{name}")
    return rows


def _opened(key: bytes, sealed: bytes, place: str) -> str | None:
    try:
        return unseal(key, sealed, place.encode()).decode()
    except SealError:
        return None


def _marts(execution: Execution, request: Request) -> dict[str, list[dict[str, Any]]]:
    """Rows of every mart that names the lead or one of its points; none before the first build."""
    found = {}
    try:
        named = execution.warehouse.columns()
        for mart, kinds in sorted(named.items()):
            keys = [name for name in _MARTS if name in kinds]
            if not keys or "tenant_id" not in kinds:
                continue
            wanted = {"lead_id": {request.lead_id}, "contact_point_id": set(request.point_ids)}
            rows = execution.warehouse.rows(mart)
            found[f"marts.{mart}"] = [
                row for row in rows if row["tenant_id"] == request.tenant_id and any(row[key] in wanted[key] for key in keys)
            ]
    except WarehouseError:
        return {}
    return found


def _actions(execution: Execution, request: Request) -> list[dict[str, Any]]:
    with execution.stores.state.psycopg() as connection:
        cursor = connection.execute(
            "select action_id, rule, kind, channel, template_name, details::text, due_at, state, reason, updated_at from ops.outbox "
            "where tenant_id = %s and (lead_id = %s or point_id = any(%s)) order by due_at, action_id",
            (request.tenant_id, request.lead_id, list(request.point_ids)),
        )
        names = [each.name for each in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _write(out: Path, request: Request, tables: Mapping[str, Sequence[Mapping[str, Any]]], now: datetime) -> str:
    """The ZIP, whole or not at all; returns the SHA-256 of its inventory."""
    members: dict[str, bytes] = {}
    for name, rows in tables.items():
        members[f"json/{name}.json"] = json.dumps(rows, indent=1, ensure_ascii=False, default=str).encode()
        members[f"csv/{name}.csv"] = _csv(rows)
    inventory = {
        "request_id": request.request_id,
        "tenant_id": request.tenant_id,
        "lead_id": request.lead_id,
        "contact_points": list(request.point_ids),
        "made_at": now.isoformat(),
        "tables": {name: len(rows) for name, rows in tables.items()},
        "files": {name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in members.items()},
    }
    members["inventory.json"] = json.dumps(inventory, indent=1).encode()
    draft = out.with_name(f".{out.name}.tmp")
    try:
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, raw in members.items():
                    archive.writestr(zipfile.ZipInfo(name, _WHEN), raw, zipfile.ZIP_DEFLATED)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    return hashlib.sha256(members["inventory.json"]).hexdigest()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: what begins like one gets a quotation mark before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value


def _certify(office: Office, request: Request, tables: Mapping[str, Sequence[Any]], inventory: str) -> None:
    from orchestration.verifier.certificate import sign

    body = json.dumps(
        {
            "format": f"flexoraa.{request.kind}.1",
            "request_id": request.request_id,
            "tenant_id": request.tenant_id,
            "tables": {name: len(rows) for name, rows in tables.items()},
            "inventory_sha256": inventory,
            "made_at": office.clock.now().isoformat(),
        },
        sort_keys=True,
        indent=1,
    )
    signature, key = sign(body, office.vault.tenant_key(PLATFORM, "certificates"))
    made = Certificate(request.request_id, request.tenant_id, request.fence, 0, office.clock.now(), body, signature, key)
    office.requests.certify(made)
