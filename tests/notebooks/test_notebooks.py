"""Notebooks run on the demo, draw something, tell nothing personal, and lie in git without outputs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from orchestration.simulator import Manifest
from tests.shared_demo import ROOT, shared_demo

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLOT = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Outputs by the notebook's name, or the error of the cell that failed."""
    demo = shared_demo()
    assert demo.code == 0, demo.out + demo.err
    out = tmp_path_factory.mktemp("notebooks") / "outputs.json"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
    env = clean | {"FLEXORAA_HOME": str(demo.home), "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.notebooks.runner", str(out)], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_and_tells_nothing_personal(executed: dict[str, Any], path: Path) -> None:
    outputs = executed[path.stem]
    assert isinstance(outputs, list), outputs
    assert any(PLOT in output.get("data", {}) for output in outputs), "it draws nothing"
    canaries = Manifest.load(shared_demo().home / "demo" / "traffic" / "truth.json").canaries
    told = json.dumps(outputs, ensure_ascii=False).lower()
    personal = [each for each in (*canaries.names, *canaries.phones, *canaries.emails, *canaries.texts) if len(each) >= 5]
    assert len(personal) > 10
    assert [each for each in personal if re.search(rf"(?<!\w){re.escape(each.lower())}(?!\w)", told)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_lies_in_git_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells if cell.cell_type == "code")
