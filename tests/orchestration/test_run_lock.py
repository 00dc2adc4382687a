"""Runs of one installation follow each other, and who waits is told."""

import subprocess
import sys
from pathlib import Path

from orchestration.resources.clients import alone

HOLD = "import sys; from pathlib import Path; from orchestration.resources.clients import alone\nwith alone(Path(sys.argv[1])): print('in', flush=True)"


def test_who_comes_second_is_told_and_waits(tmp_path: Path) -> None:
    with alone(tmp_path):
        second = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert second.stderr.readline() == "waiting for the run that is on its way\n"
        assert second.poll() is None
    assert second.communicate(timeout=60) == ("in\n", "")


def test_who_need_not_wait_is_told_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HOLD, tmp_path / "new"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("in\n", "")
