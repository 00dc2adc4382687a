"""Spark's own standalone cluster: a master and two workers, each a process, on loopback; the marts are those of DuckDB."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchestration.resources.fingerprint import fingerprint
from orchestration.resources.warehouse import Warehouse
from tests.dbt import engines, worker
from tests.dbt.engines import MODELS_ONLY
from tests.dbt.histories import AS_OF, history, told
from tests.dbt.warehouse import tables, write

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]


@contextmanager
def started(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Spark's, ended by its id with all that it started."""
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen([str(home / "bin" / "spark-class"), *arguments], stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)] if process.poll() is None else []
        for each in family:
            each.terminate()
        _, alive = psutil.wait_procs(family, 20)
        for each in alive:
            each.kill()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(log: Path, words: str, times: int = 1) -> None:
    deadline = time.monotonic() + 120
    while len(re.findall(words, log.read_text())) < times:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the folder in which the workers keep what their executors say."""
    port, deploy = free_port(), "org.apache.spark.deploy"
    url, master, work = f"spark://127.0.0.1:{port}", tmp_path / "master.log", tmp_path / "work"
    with started(master, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"):
        wait_for(master, "I have been elected leader|ALIVE")
        options = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(work), url)
        first, second = (started(tmp_path / f"worker{number}.log", f"{deploy}.worker.Worker", *options) for number in (1, 2))
        with first, second:
            wait_for(master, "Registering worker", times=2)
            yield url, work


def test_a_cluster_of_separate_processes_builds_the_same_marts(cluster: tuple[str, Path], tmp_path: Path) -> None:
    url, work = cluster
    rows = told(history(7, 12), 1) | {"run": [{"as_of": AS_OF}]}
    write(tmp_path, tmp_path / "warehouse.duckdb", rows)
    worker.invoke(tmp_path / "warehouse.duckdb", "build", *MODELS_ONLY)
    duckdb = Warehouse(tmp_path / "warehouse.duckdb", tmp_path, tmp_path)
    with engines.installation("spark", FLEXORAA_SPARK_MASTER=url, FLEXORAA_SPARK_MEMORY="1g") as made:
        made.build(tmp_path, tables(rows), *MODELS_ONLY)
        found = made.warehouse.read(made.warehouse.names())
    ours = duckdb.read(duckdb.names())
    assert {mart: fingerprint(table) for mart, table in found.items()} == {mart: fingerprint(table) for mart, table in ours.items()}
    assert len({path.parent for path in work.glob("app-*/*/stderr")}) == 2  # an executor on each worker
