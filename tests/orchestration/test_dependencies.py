"""The audit of what is locked: a planted old version is found by the real pip-audit, and ranges are read as OSV defines them."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock_audit", ROOT / "requirements" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def known() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "requirements" / "advisories.json").read_text())["advisories"]
    return found


def test_a_locked_version_with_a_known_advisory_fails_the_check_which_says_how_old_and_how_complete_its_list_is(
    audit: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"jinja2==3.1.5 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(sys, "argv", ["audit.py", str(lock)])
    assert audit.main() == 1
    said = capfd.readouterr().out
    assert "CVE-2025-27516" in said
    listed = json.loads((ROOT / "requirements" / "advisories.json").read_text())
    assert f"{len(known())} advisories as of {listed['taken_at']}, {listed['source']}" in said
    # a list that was not taken over from OSV says that it is not whole
    assert listed["source"] == audit.EVERYTHING or "known to be incomplete" in said


@pytest.mark.parametrize(
    ("version", "events", "is_affected"),
    [
        ("1.0", [{"introduced": "1.0"}, {"fixed": "1.2"}], True),
        ("1.1.9", [{"introduced": "1.0"}, {"fixed": "1.2"}], True),
        ("1.2", [{"introduced": "1.0"}, {"fixed": "1.2"}], False),
        ("1.2", [{"introduced": "1.0"}, {"last_affected": "1.2"}], True),
        ("1.2.1", [{"introduced": "1.0"}, {"last_affected": "1.2"}], False),
        ("0.9", [{"introduced": "1.0"}, {"fixed": "1.2"}], False),
        ("2.5", [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}, {"fixed": "3.0"}], True),
        ("1.5", [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.0"}, {"fixed": "3.0"}], False),
        ("1.2rc1", [{"introduced": "1.0"}, {"fixed": "1.2"}], True),
    ],
)
def test_a_range_is_from_introduced_on_and_ends_before_fixed(
    audit: ModuleType, version: str, events: list[dict[str, str]], *, is_affected: bool
) -> None:
    advisory = {
        "id": "x",
        "affected": [{"package": {"name": "A.b", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
    }
    assert bool(audit.affecting([advisory], "a-b", version)) is is_affected
    assert audit.affecting([advisory], "other", version) == []


def test_every_lock_is_audited(audit: ModuleType) -> None:
    assert {path.name for path in audit.LOCKS} == {path.name for path in (ROOT / "requirements").glob("*.txt")}
    assert re.search(r"^\t.*requirements/audit\.py$", (ROOT / "Makefile").read_text(), re.M)
