"""The named peer of `benchmarks.ingest`, in an environment of its own: dlt loads bare bodies into DuckDB and prints the seconds.

Arguments: the file of bodies, one a line; a folder for dlt's own files. Imports nothing of ours.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt


def bodies(path: Path) -> Iterator[dict[str, Any]]:
    """Each body as Python values."""
    with path.open("rb") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    pipeline = dlt.pipeline(
        "webhooks", destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")), dataset_name="raw", pipelines_dir=str(folder / "dlt")
    )
    started = time.perf_counter()
    pipeline.run(bodies(Path(sys.argv[1])), table_name="webhooks")
    print(json.dumps({"seconds": time.perf_counter() - started, "dlt": dlt.__version__}))
