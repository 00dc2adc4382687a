"""All notebooks in one kernel, in a process of their own: nbclient leaves event loops and sockets behind. `python -m tests.notebooks.runner OUT`.

Starting a kernel and importing polars and plotly takes 4 s, so it is one; each notebook begins with nothing defined.
"""

import json
import sys
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def main() -> None:
    """Write what each came to, by its name: its outputs, or the error of the cell that failed."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.start_kernel(cwd=str(FOLDER.parent))
    found: dict[str, object] = {}
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
        try:
            NotebookClient(notebook, km=manager, timeout=120).execute(reset_kc=False, cleanup_kc=False)
            found[path.stem] = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        except CellExecutionError as error:
            found[path.stem] = str(error)
    manager.shutdown_kernel(now=True)
    Path(sys.argv[1]).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
