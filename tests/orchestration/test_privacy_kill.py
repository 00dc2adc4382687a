"""Killed at any moment of any step, an erasure is never called complete while it is not, and the next run ends it."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.erasure.run import STEPS
from tests.orchestration.privacy_world import END, World

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = [*itertools.product(STEPS, ("begun", "made", "done")), ("verify", "begun"), ("verify", "made"), ("verify", "done")]


@pytest.fixture(scope="module")
def die(people: World) -> Iterator[Callable[[str, str, str], int]]:
    """Executes in a process that dies at a moment of a step; returns how it ended."""
    command = [sys.executable, "-m", "tests.orchestration.dying_eraser", str(people.settings.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(request_id: str, step: str, moment: str) -> int:
            print(request_id, step, moment, file=process.stdin, flush=True)
            return int(process.stdout.readline())  # type: ignore[union-attr]

        yield run
        process.stdin.close()


@pytest.fixture(scope="module")
def moments(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, str]]]:
    """Every one with --large; else each step once, at each moment in turn."""
    if request.config.getoption("--large"):
        yield MOMENTS
    else:
        yield [(step, ("begun", "made", "done")[n % 3]) for n, step in enumerate((*STEPS, "verify"), 1)]


def test_killed_at_every_step_it_is_open_and_the_next_run_ends_it(
    people: World, moments: list[tuple[str, str]], die: Callable[[str, str, str], int]
) -> None:
    lead = people.somebody()
    value = people.values(lead)[0]
    people.plant(lead, value)
    request = people.approved(lead)
    last = ""
    for step, moment in moments:
        status = die(request.request_id, step, moment)
        found = people.office.find(request.request_id)
        if (step, moment) == ("verify", "done"):
            assert found.state == "closed"
            last = "closed"
            break
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert found.state in {"running", "verifying"}, (step, moment)
        assert found.closed_at is None
    if last != "closed":
        assert people.run([request.request_id])[request.request_id].state == "closed"
    assert people.office.certificate(request.request_id).hits == 0
    assert all(each["done_at"] == END for each in people.office.requests.steps(request.request_id).values())
    assert not list((people.settings.secrets / "privacy").glob(f"{request.request_id}*"))
    again = people.run([request.request_id])[request.request_id]
    assert (again.code, again.state) == ("wrong_state", "closed")


@pytest.mark.parametrize("allowed", [16, 4_096])
def test_on_a_full_disk_it_stays_open_is_in_the_log_and_the_next_run_ends_it(
    people: World, die: Callable[[str, str, str], int], allowed: int
) -> None:
    """16 bytes: not even the key of the search is kept; with more, a segment cannot be written anew."""
    lead = people.somebody()
    tenant_id, values = people.leads[lead][0], people.values(lead)
    people.plant(lead, values[0])
    request = people.approved(lead)
    status = die(request.request_id, "full", str(allowed))
    assert os.waitstatus_to_exitcode(status) == 1  # told in one sentence, by the exit code of a machine's fault
    assert people.office.find(request.request_id).state == "running"
    assert people.values(lead) == values
    entries = [each for each in people.platform.audit.entries(tenant_id) if each.subject == request.request_id]
    assert [each.action for each in entries][-2:] == ["erasure.started", "erasure.broken_off"]
    assert people.run([request.request_id])[request.request_id].state == "closed"
