"""Notebooks run on the demo, draw something, tell nothing personal, and lie in git without outputs."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from orchestration.simulator import Manifest
from tests.shared_demo import ROOT, shared_demo

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLOT = "application/vnd.plotly.v1+json"
pytestmark = pytest.mark.filterwarnings("ignore")  # of jupyter_client and zmq, which are not ours


class Kernel(NamedTuple):
    """One kernel, and the thread that speaks to it: nbclient leaves an event loop behind where it ran, which Playwright refuses."""

    manager: KernelManager
    thread: ThreadPoolExecutor

    def run(self, notebook: nbformat.NotebookNode) -> None:
        """Execute it whole."""
        client = NotebookClient(notebook, km=self.manager, timeout=120)
        self.thread.submit(client.execute, reset_kc=False, cleanup_kc=False).result()


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One for all: starting one and importing polars and plotly takes 4 s."""
    demo = shared_demo()
    assert demo.code == 0, demo.out + demo.err
    manager = KernelManager(kernel_name="python3", transport="ipc")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLEXORAA_", "DAGSTER_", "DATABASE_URL"))}
    env = clean | {"FLEXORAA_HOME": str(demo.home), "PYTHONPATH": str(ROOT)}
    with ThreadPoolExecutor(1) as thread:
        thread.submit(manager.start_kernel, env=env, cwd=str(ROOT)).result()
        yield Kernel(manager, thread)
        thread.submit(manager.shutdown_kernel, now=True).result()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_and_tells_nothing_personal(kernel: Kernel, path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))  # none leans on what another left behind
    kernel.run(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any(PLOT in output.get("data", {}) for output in outputs), "it draws nothing"
    canaries = Manifest.load(shared_demo().home / "demo" / "traffic" / "truth.json").canaries
    told = json.dumps(outputs, ensure_ascii=False).lower()
    personal = [each for each in (*canaries.names, *canaries.phones, *canaries.emails, *canaries.texts) if len(each) >= 5]
    assert [each for each in personal if re.search(rf"(?<!\w){re.escape(each.lower())}(?!\w)", told)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_lies_in_git_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells if cell.cell_type == "code")
