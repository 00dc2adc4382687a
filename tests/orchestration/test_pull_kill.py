"""The command, killed with -9 while it fetches: the next one goes on, and the lake is as if nothing had been."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.ingest import take_in_all
from orchestration.resources.clock import SystemClock
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.progress import TerminalProgress
from tests.orchestration.dying_reader import STEPS
from tests.orchestration.pulling import Pulling, mail, payment, refund

ROOT = Path(__file__).resolve().parents[2]
SINCE = "2026-01-02T00:00:00Z"


class Command:
    """`flexoraa pull`, as a process of its own against the fake vendors."""

    def __init__(self, pulling: Pulling, *arguments: str) -> None:
        url = pulling.vendors.url
        env = os.environ | {
            "FLEXORAA_GMAIL_URL": url, "FLEXORAA_GOOGLE_TOKEN_URL": f"{url}/token", "FLEXORAA_RAZORPAY_URL": f"{url}/v1",
            "FLEXORAA_CALENDLY_URL": url, "FLEXORAA_PULL_PER_SECOND": "1000",
        }  # fmt: skip
        program = [sys.executable, "-m", "orchestration.cli", "pull", *arguments, "--json", "--home", str(pulling.settings.home)]
        self._process = subprocess.Popen(program, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self) -> tuple[int, str, str]:
        """Its exit code, what it printed, and what it told."""
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out, err

    def kill(self) -> None:
        """At once, and only it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def is_running(self) -> bool:
        return self._process.poll() is None


def killed(pulling: Pulling, arguments: Sequence[str], requests: int) -> None:
    """Run it until so many requests came, and kill it."""
    command = Command(pulling, *arguments)
    while command.is_running() and len(pulling.vendors.asked) < requests:
        time.sleep(0.001)
    command.kill()


def lake_rows(pulling: Pulling, folder: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Take in all that lies in the inbox; each event of a table once."""
    import duckdb

    ledger = PostgresLedger(pulling.state, pulling.vault, SystemClock())
    take_in_all(FolderInbox(pulling.settings.inbox), FolderLake(folder), ledger, pulling.vault, TerminalProgress(quiet=True))
    with duckdb.connect() as connection:
        query = f"select distinct event_id, {columns} from read_parquet('{folder}/{table}/*/*.parquet')"
        found = connection.execute(query).fetchall()
    return [row[1:] for row in found]


def assert_counted(pulling: Pulling) -> None:
    """Nothing was refused on the way in."""
    with pulling.state.begin() as connection:
        query = "select coalesce(sum(rejected), 0) from ops.segment_counts where tenant_id = %s"
        assert connection.exec_driver_sql(query, (pulling.name,)).scalar() == 0


def ends_of(seed: int) -> list[str]:
    """A death after every kind of step, each the first, second or third time, in any order; then one that lives."""
    rng = random.Random(seed)
    ends = [f"{step}:{rng.randrange(1, 4)}" for step in STEPS] + [f"{step}:1" for step in STEPS]
    rng.shuffle(ends)
    return [*ends, "never:0"]


def dying(pulling: Pulling, source: str, ends: list[str]) -> list[str]:
    """Tries that die after these steps, one after the other; how each ended."""
    home, database = str(pulling.settings.home), pulling.state.libpq_url
    program = [sys.executable, "-m", "tests.orchestration.dying_reader", home, database, pulling.vendors.url, source, pulling.name]
    done = subprocess.run([*program, *ends], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert len(done.stdout.splitlines()) == len(ends), done.stderr
    return done.stdout.splitlines()


def plant(pulling: Pulling, payments: int) -> set[tuple[str, str, int]]:
    """Payments and refunds; what the lake must say of them."""
    items, begun = pulling.vendors.razorpay.items, datetime(2026, 1, 3, tzinfo=UTC)
    items["payments"] += [payment(number, begun + timedelta(minutes=number)) for number in range(payments)]
    items["refunds"] += [refund(number, begun + timedelta(minutes=number, seconds=9)) for number in range(0, payments, 20)]
    return {(each["id"], f"{each['entity']}.listed.{each['status']}", each["amount"]) for kept in items.values() for each in kept}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.large) for seed in range(1, 40))])
def test_a_back_fill_that_is_killed_anywhere_goes_on_and_the_lake_is_the_same(pulling: Pulling, tmp_path: Path, seed: int) -> None:
    pulling.connect()
    wanted = plant(pulling, 230)
    ends = dying(pulling, "razorpay", ends_of(seed))
    assert ends[-1] == "ended with 0"
    assert ends.count("died") >= 8
    assert list(pulling.settings.inbox.glob(".collector-*")) == []  # what the killed ones left is closed
    rows = lake_rows(pulling, tmp_path / "lake", "payments", "subject_id, kind, amount_minor")
    assert len(rows) == len(wanted)
    assert set(rows) == wanted
    assert_counted(pulling)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.large) for seed in range(1, 40))])
def test_a_mailbox_whose_reader_is_killed_anywhere_loses_no_mail(pulling: Pulling, tmp_path: Path, seed: int) -> None:
    pulling.connect()
    now = SystemClock().now()
    for number in range(60):
        pulling.vendors.gmail.receive(pulling.mailbox, mail(number, now - timedelta(minutes=number)))
    ends = dying(pulling, "gmail", ends_of(seed))
    assert ends[-1] == "ended with 0"
    assert ends.count("died") >= 8
    rows = lake_rows(pulling, tmp_path / "lake", "messages", "message_type")
    assert len(rows) == 60
    assert_counted(pulling)


def test_the_command_that_is_killed_goes_on_when_it_is_given_again(pulling: Pulling, tmp_path: Path) -> None:
    pulling.connect()
    wanted, arguments = plant(pulling, 2_350), ("razorpay", "--since", SINCE, "--tenant", pulling.name)
    killed(pulling, arguments, requests=15)
    code, out, err = Command(pulling, *arguments).end()
    assert (code, "Traceback" in err) == (0, False)
    assert [each["state"] for each in json.loads(out)["pulled"]] == ["done"] * 3
    assert json.loads(out)["pulled"][0]["items"] < 2_350
    assert set(lake_rows(pulling, tmp_path / "lake", "payments", "subject_id, kind, amount_minor")) == wanted
