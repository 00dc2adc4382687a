"""`flexoraa audit`: the log listed, exported, verified, proved and witnessed.

Here belongs opening files and the installation. Not here: the command line (`audit_cli`), what is verified (`core.audit*`).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from core.audit import AuditError, Entry, canonical
from core.audit_export import Verification, entry_of, export_lines, plain
from core.audit_roots import DayRoot, Proof, broken_proof, day_root, days, prove, read_witness, witness_line
from orchestration.backup.erasures import keep_log
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.clock import SystemClock
from orchestration.resources.durable import make_durable
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault

SHOWN = 50
"""Findings that are told; the first one says what to look at."""


@contextmanager
def opened(settings: Settings) -> Iterator[PostgresAudit]:
    """The log of an installation."""
    with open_state(settings) as state:
        yield PostgresAudit(state, Vault(state, settings.master_key()))


def listed(settings: Settings, tenant_id: str | None, action: str | None, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """The newest entries first; `action` is a beginning, such as `erasure`."""
    with opened(settings) as audit:
        found = audit.newest(tenant_id, action, since, limit)
    return [plain(each) | {"entry": each.id} for each in found]


def exported(settings: Settings, out: Path, tenant_id: str | None) -> dict[str, Any]:
    """Write an export whole or not at all; says how many entries of each tenant and whose key signed."""
    with opened(settings) as audit, audit.at_one_moment() as frozen:
        lines = export_lines(_chains(frozen, tenant_id), audit.key, SystemClock().now(), is_whole=tenant_id is None)
        draft = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.writelines(lines)
            make_durable([draft])
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
    return verified_file(out, None, None) | {"export": str(out)}


def verified(settings: Settings, tenant_id: str | None, witness: Path | None) -> dict[str, Any]:
    """The log as it lies in the database, read as an export of it would be."""
    with opened(settings) as audit, audit.at_one_moment() as frozen:
        lines = export_lines(_chains(frozen, tenant_id), audit.key, SystemClock().now(), is_whole=tenant_id is None)
        return _told(Verification(lines, audit.public_key, read_roots(witness or settings.audit_witness)))


def verified_file(export: Path, public_key: str | None, witness: Path | None) -> dict[str, Any]:
    """An export, with nothing but files."""
    with export.open("rb") as lines:
        return _told(Verification(lines, public_key, read_roots(witness)))


def _told(check: Verification) -> dict[str, Any]:
    findings = [each._asdict() for _, each in zip(range(SHOWN), check.findings(), strict=False)]
    entries = {tenant_id or "(installation)": count for tenant_id, count in check.lengths.items()}
    return {"holds": not findings, "entries": entries, "public_key": check.public_key, "findings": findings}


def _chains(audit: PostgresAudit, tenant_id: str | None) -> Mapping[str, Iterator[Entry]]:
    known = audit.tenants()
    if tenant_id is not None and tenant_id not in known:
        raise AuditError(f"the log has no entry of {tenant_id!r}; it has entries of {', '.join(filter(None, known)) or 'nobody'}")
    return {each: audit.entries(each) for each in known if tenant_id in {None, each}}


def read_roots(path: Path | None) -> list[DayRoot]:
    """The roots of a witness file; none where there is no file asked for."""
    return [] if path is None else read_witness(path.read_text(encoding="utf-8").splitlines())


def proved(settings: Settings, entry_id: str) -> dict[str, Any]:
    """The proof of one entry, as JSON that `verified_proof` reads."""
    tenant_id, _, number = entry_id.rpartition("/")
    if not number.isdecimal():
        raise AuditError(f"{entry_id!r} is no entry: write TENANT/NUMBER, as `flexoraa audit list` does")
    with opened(settings) as audit:
        for day in days(audit.entries(tenant_id)):
            if day[0].number <= int(number) <= day[-1].number:
                proof = prove(day, int(number), audit.key)
                return {"entry": plain(proof.entry), "path": list(proof.path), "day_root": proof.day_root._asdict()}
    raise AuditError(f"there is no entry {entry_id}: `flexoraa audit list` shows what there is")


def verified_proof(path: Path, public_key: str | None, witness: Path | None) -> dict[str, Any]:
    """A proof, with nothing but files.

    Raises:
        AuditError: the file holds none.
    """
    try:
        value = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        proof = Proof(entry_of(value["entry"]), tuple(value["path"]), DayRoot(**value["day_root"]))
        findings = [each._asdict() for each in broken_proof(proof, public_key, read_roots(witness))]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise AuditError(f"{path} is no proof of `flexoraa audit prove`: {error}") from error
    said = proof.day_root
    return {"holds": not findings, "entry": value["entry"], "day": said.day, "public_key": said.public_key, "findings": findings}


def witnessed(settings: Settings, path: Path | None) -> dict[str, Any]:
    """Append to a witness file the roots that it does not have yet: of each whole day, and of today so far.

    Raises:
        AuditError: no file is named, or what it holds is not what the log says: then nothing is written.
    """
    path = path or settings.audit_witness
    if path is None:
        raise AuditError("which file? name one, or set FLEXORAA_AUDIT_WITNESS: best on another machine's disk")
    with opened(settings) as audit, audit.at_one_moment() as frozen:
        known = read_roots(path) if path.exists() else []
        lines = export_lines(_chains(frozen, None), audit.key, SystemClock().now(), is_whole=True)
        told = _told(Verification(lines, audit.public_key, known))
        if told["findings"]:
            first = told["findings"][0]
            raise AuditError(f"the log is not the one that {path} witnessed; {first['place']} {first['problem']}. Nothing was written")
        has = {(each.tenant_id, each.last) for each in known}
        new = [said for tenant_id in frozen.tenants() for day in days(frozen.entries(tenant_id)) for said in [day_root(day, audit.key)]]
        new = [each for each in new if (each.tenant_id, each.last) not in has]
    with path.open("a", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.writelines(witness_line(each) + "\n" for each in new)
    make_durable([path])
    with open_state(settings) as state:
        keep_log(state, settings)
    return {"witness": str(path), "written": len(new), "roots": len(known) + len(new)}


def proof_text(proof: dict[str, Any]) -> str:
    """As it is written to a file."""
    return canonical(proof) + "\n"
