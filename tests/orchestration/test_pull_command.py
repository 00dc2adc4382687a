"""`flexoraa pull` and what Dagster is told of pulling: the sensor, the schedule, the jobs; over the same fake vendors."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from assets.pull import back_fill, poll_gmail, renew_watches
from orchestration.automation import gmail_watch_renewal
from orchestration.cli import main
from orchestration.resources.clock import SystemClock
from orchestration.sensors import gmail_polling
from tests.orchestration.pulling import KEY, NOW, Pulling, mail, payment

Run = Callable[..., tuple[int, str, str]]
SINCE = "2026-01-02T00:00:00Z"


@pytest.fixture
def command(pulling: Pulling, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`flexoraa pull` in this process against the fake vendors: exit code and what it wrote."""
    url = pulling.vendors.url
    monkeypatch.delenv("DATABASE_URL", raising=False)
    addresses = {"GMAIL": url, "GOOGLE_TOKEN": f"{url}/token", "RAZORPAY": f"{url}/v1", "CALENDLY": url}
    for name, address in addresses.items():
        monkeypatch.setenv(f"FLEXORAA_{name}_URL", address)
    monkeypatch.setenv("FLEXORAA_PULL_PER_SECOND", "1000")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["flexoraa", "pull", *arguments, "--home", str(pulling.settings.home)])
        with pytest.raises(SystemExit) as stopped:
            main()
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return run


def test_the_command_tells_a_person_in_lines_and_a_script_in_json(pulling: Pulling, command: Run) -> None:
    pulling.connect()
    pulling.vendors.razorpay.items["payments"].append(payment(1, NOW - timedelta(days=5)))
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1, SystemClock().now()))
    pulling.vendors.gmail.watch_until_ms = int((NOW + timedelta(days=7)).timestamp() * 1000)
    code, out, err = command("razorpay", "--since", SINCE, "--dry-run")
    assert (code, err) == (0, "")
    assert f"{pulling.name} pay payments: 1 in 1 pages, 1 bodies would be handed in" in out
    assert pulling.segments() == []
    code, out, _ = command("razorpay", "--since", SINCE, "--json")
    shown = json.loads(out)
    assert (code, shown["is_dry_run"], [each["items"] for each in shown["pulled"]]) == (0, False, [1, 0, 0])
    assert command("gmail")[:2] == (0, f"{pulling.name} mail history: 1 in 2 pages, 1 bodies handed in\n")
    assert command("watch")[0] == 0
    assert command("calendly", "--since", SINCE, "--until", "2026-02-01T00:00:00Z")[0] == 0
    assert len(pulling.segments()) == 2


def test_the_command_says_what_failed_and_of_whom(pulling: Pulling, command: Run) -> None:
    pulling.connect()
    pulling.vendors.razorpay.keys.clear()
    code, out, err = command("razorpay", "--since", SINCE)
    assert (code, out) == (1, "")
    assert err.startswith(f"flexoraa: tenant {pulling.name}, connection pay: ")
    assert "run `flexoraa tenant apply`" in err
    assert KEY not in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gmail", "--tenant", "nobody"), "tenant nobody has no gmail connection with an access_token"),
        (("watch", "--tenant", "nobody"), "tenant nobody has no gmail connection with an access_token"),
        (("calendly", "--since", SINCE, "--tenant", "nobody"), "tenant nobody has no calendly connection with an access_token"),
        (("razorpay", "--since", SINCE, "--until", SINCE), "before it begins"),
        (("razorpay", "--since", "yesterday"), "ISO 8601"),
        (("razorpay",), "--since"),
    ],
)
def test_wrong_use_of_the_command_touches_nothing(pulling: Pulling, command: Run, arguments: tuple[str, ...], said: str) -> None:
    pulling.connect()
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert pulling.vendors.asked == []


def tick(pulling: Pulling, cursor: str | None) -> dg.SensorResult:
    with dg.build_sensor_context(cursor=cursor, resources={"pull": pulling.pull(), "clock": pulling.time}) as context:
        result = gmail_polling(context)
    assert isinstance(result, dg.SensorResult)
    return result


def executed(job: dg.JobDefinition, pulling: Pulling, config: dict[str, Any] | None = None, **resources: Any) -> dg.ExecuteInProcessResult:
    given = {"pull": pulling.pull(), "clock": pulling.time} | resources
    return job.execute_in_process(run_config=config, resources=given, raise_on_error=False)


def test_the_sensor_asks_when_a_mailbox_is_due_and_the_run_polls_it_once(pulling: Pulling) -> None:
    quiet = tick(pulling, None)
    assert (quiet.run_requests, quiet.skip_reason is not None) == ([], True)  # nobody is connected
    pulling.connect()
    pulling.vendors.gmail.receive(pulling.mailbox, mail(1))
    pulling.vendors.gmail.watch_until_ms = int((NOW + timedelta(days=7)).timestamp() * 1000)
    first = tick(pulling, quiet.cursor)
    assert [each.run_key for each in first.run_requests or []] == [None]  # a key is remembered for ever
    assert not tick(pulling, first.cursor).run_requests  # the run waits in the queue
    assert executed(poll_gmail, pulling).success
    assert len(pulling.events()) == 2
    assert len(pulling.vendors.gmail.watches) == 1  # it had none, so the first look asks for it
    asked = len(pulling.vendors.asked)
    assert executed(poll_gmail, pulling).success  # a second run of the same asking finds nothing due
    assert len(pulling.vendors.asked) == asked
    pulling.time.moment += pulling.pull().every() - timedelta(seconds=1)
    assert not tick(pulling, first.cursor).run_requests
    pulling.time.moment += timedelta(seconds=2)
    assert tick(pulling, first.cursor).run_requests


def test_a_push_that_was_taken_in_lets_the_next_tick_ask(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.gmail.watch_until_ms = int((NOW + timedelta(days=7)).timestamp() * 1000)
    cursor = tick(pulling, None).cursor
    executed(poll_gmail, pulling)
    pulling.time.moment += timedelta(seconds=60)
    assert not tick(pulling, cursor).run_requests
    with pulling.state.begin() as connection:
        segment = f"segment of {pulling.name}"
        connection.exec_driver_sql(
            "insert into ops.segments (segment_id, path, state, size_bytes, line_count, ingested_at) values (%s, 'x', 'ingested', 1, 1, %s)",
            (segment, pulling.time.moment),
        )
        connection.exec_driver_sql("insert into ops.segment_counts values (%s, %s, 'gmail', 1, 1, 0)", (segment, pulling.name))
    pulling.time.moment += timedelta(seconds=1)
    assert tick(pulling, cursor).run_requests


def test_a_mailbox_that_fails_fails_the_run_after_the_others_and_names_no_address(pulling: Pulling) -> None:
    pulling.connect()
    other = replace(pulling, name=f"{pulling.name}b")
    other.connect()
    for each in (pulling, other):
        pulling.vendors.gmail.receive(each.mailbox, mail(1))
    del pulling.vendors.gmail.refresh_tokens[f"1//{pulling.name}"]
    result = executed(poll_gmail, pulling)
    assert not result.success
    assert len(other.events()) == 2
    told = str([event.to_dict() if hasattr(event, "to_dict") else event for event in result.all_events])
    assert f"tenant {pulling.name}, connection mail" in told
    assert not [word for word in (pulling.mailbox, other.mailbox, "asha1@", "ya29", "client secret") if word in told]


def test_the_daily_schedule_renews_what_has_been_running_for_a_day(pulling: Pulling) -> None:
    with dg.build_schedule_context(scheduled_execution_time=NOW, resources={"pull": pulling.pull(), "clock": pulling.time}) as context:
        assert isinstance(gmail_watch_renewal(context), dg.SkipReason)
        pulling.connect()
        assert isinstance(gmail_watch_renewal(context), dg.RunRequest)
        pulling.vendors.gmail.watch_until_ms = int((NOW + timedelta(days=7)).timestamp() * 1000)
        assert executed(renew_watches, pulling).success
        assert len(pulling.vendors.gmail.watches) == 1
        assert isinstance(gmail_watch_renewal(context), dg.SkipReason)
        pulling.time.moment += timedelta(days=1, seconds=1)
        assert isinstance(gmail_watch_renewal(context), dg.RunRequest)


def test_a_back_fill_is_launched_with_a_source_and_a_span(pulling: Pulling) -> None:
    pulling.connect()
    pulling.vendors.razorpay.items["payments"].append(payment(1, NOW - timedelta(days=5)))
    config = {"ops": {"back_fill_accounts": {"config": {"source": "razorpay", "since": SINCE, "tenant_id": pulling.name}}}}
    assert executed(back_fill, pulling, config).success
    assert len(pulling.events()) == 1
    for wrong in ({"since": "2026-01-02"}, {"source": "gmail"}):
        asked = {"source": "razorpay", "since": SINCE} | wrong
        assert not executed(back_fill, pulling, {"ops": {"back_fill_accounts": {"config": asked}}}).success
