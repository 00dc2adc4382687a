"""The replay of a data set: counts of the real one, and the shapes on a small copy of its layout."""

import csv
import stat
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.events import Event, Message, Payment
from core.intake import Accepted, Account, Directory, Envelope, read_line, take
from core.tenancy_checks import check
from core.tenancy_file import read
from core.tenancy_rows import accounts
from orchestration.replay import ReplayError, Summary, replay, replay_into
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.settings import Settings
from tests.outside import data

NAME = "persuasion_for_good"
FIRST, SECOND = "20180904-045349_715_live", "BAD_20180827-042633_370_live"
TURNS = [
    ("Hello, how are you?", 0, FIRST),
    ("Good.\nThanks — and you? 😀", 1, FIRST),
    ('They say "give", so I do.', 1, FIRST),
    ("Hi", 1, SECOND),
    ("", 0, SECOND),
]
PEOPLE = [(FIRST, 0, "0.0"), (FIRST, 1, "0.29"), (SECOND, 0, "700.0"), (SECOND, 1, "2.0")]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two dialogues and three donations in the data set's layout."""
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "full_dialog.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "Unit", "Turn", "B4", "B2"])
        writer.writerows([number, text, number // 2, role, dialogue] for number, (text, role, dialogue) in enumerate(TURNS))
    with (folder / "full_info.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["B2", "B3", "B4", "B6", "age.x"])
        writer.writerows([dialogue, "user", role, dollars, "34.0"] for dialogue, role, dollars in PEOPLE)
    return folder


def run(folder: Path, home: Path) -> Summary:
    """Replay into a folder of its own."""
    return replay(NAME, folder, home / "inbox", home / "tenants")


def events(home: Path) -> list[Event]:
    """All events of all segments, in order of arrival; nothing may be rejected."""
    tenants = home / "tenants"
    reading = read((tenants / "tenants.yaml").read_text(encoding="utf-8"))
    assert [*reading.problems, *check(reading)] == []
    found: dict[tuple[str, str], list[Account]] = {}
    for connection in reading.tenants[0].connections:
        secrets = tuple((tenants / each.file).read_bytes() for each in connection.verify_secrets if each.file)
        for account in accounts(connection):
            found[connection.source, account] = [Account(NAME, "US", connection.valid_from, connection.valid_to, secrets)]
    got: list[tuple[datetime, Event]] = []
    for path in sorted((home / "inbox").iterdir()):
        for line in _lines(path):
            envelope = read_line(line)
            assert isinstance(envelope, Envelope)
            for what in take(envelope, Directory(found)):
                assert isinstance(what, Accepted)
                got.append((envelope.received_at, what.event))
    return [event for _, event in sorted(got, key=lambda each: each[0])]


def _lines(path: Path) -> list[bytes]:
    inbox = FolderInbox(path.parent)
    return [line.raw for segment in inbox.pending() if segment.path == path for line in inbox.lines(segment)]


def test_a_small_copy(small: Path, tmp_path: Path) -> None:
    summary = run(small, tmp_path)
    assert (summary.conversations, summary.messages, summary.inbound, summary.outbound) == (2, 5, 3, 2)
    assert (summary.payments, summary.paid_minor, summary.currency) == (3, 70_229, "USD")
    found = events(tmp_path)
    messages = [each for each in found if isinstance(each, Message)]
    assert [each.text for each in messages if each.occurred_at.month == 8] == ["Hi", ""]
    assert [each.text for each in messages if each.occurred_at.month == 9] == [text for text, _, of in TURNS if of == FIRST]
    assert [(each.direction, each.author_type, each.message_type) for each in messages] == [
        ("inbound", "lead", "text"), ("outbound", "human", "text"),
        ("outbound", "human", "template"), ("inbound", "lead", "text"), ("inbound", "lead", "text"),
    ]  # fmt: skip
    assert messages[0].occurred_at == datetime(2018, 8, 27, 4, 26, 33, tzinfo=UTC)
    paid = [each for each in found if isinstance(each, Payment)]
    assert Counter(each.kind for each in paid) == {"payment.captured": 3, "order.paid": 3}
    assert sorted({(each.payment_id, each.amount_minor) for each in paid}, key=lambda each: each[1]) == sorted(
        {(each.payment_id, each.amount_minor) for each in paid if each.kind == "order.paid"}, key=lambda each: each[1]
    )
    assert sorted({each.amount_minor for each in paid}) == [29, 200, 70_000]


def test_a_second_replay_writes_the_same(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "inbox").iterdir()}
    run(small, tmp_path)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "inbox").iterdir()}


def test_secrets_are_random_and_for_their_owner_alone(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "a")
    run(small, tmp_path / "b")
    first, second = (sorted((tmp_path / home / "tenants" / "secrets").iterdir()) for home in ("a", "b"))
    assert all(one.read_bytes() != other.read_bytes() for one, other in zip(first, second, strict=True))
    assert {stat.S_IMODE(path.stat().st_mode) for path in first} == {0o600}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("full_info.csv", None, "full_info.csv is missing"),
        ("full_dialog.csv", "a,b\n1,2\n", "full_dialog.csv is not the file of the release"),
        ("full_dialog.csv", ",Unit,Turn,B4,B2\n0,Hi,0,0,no_time\n", "no time in its id"),
        ("full_info.csv", "B2,B4,B6\n20200101-000000_1_live,1,5.0\n", "are not in full_dialog.csv"),
    ],
)
def test_a_wrong_folder_is_told_apart(small: Path, tmp_path: Path, name: str, text: str | None, says: str) -> None:
    (small / name).unlink() if text is None else (small / name).write_text(text, encoding="utf-8")
    if says.startswith("no time"):
        (small / "full_info.csv").write_text("B2,B4,B6\n", encoding="utf-8")
    with pytest.raises(ReplayError, match=says):
        run(small, tmp_path)
    assert not (tmp_path / "inbox").exists()


def test_an_unknown_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="known: persuasion_for_good"):
        replay("casino", tmp_path, tmp_path, tmp_path)


def test_the_real_data_set(tmp_path: Path) -> None:
    """Counts that its authors publish: 1,017 dialogues, 20,932 messages, 424 persuaders and 545 persuadees who gave."""
    summary = run(data("persuasion_for_good"), tmp_path)
    assert (summary.conversations, summary.messages, summary.payments) == (1_017, 20_932, 969)
    assert (summary.inbound, summary.outbound) == (10_332, 10_600)
    found = events(tmp_path)
    messages = [each for each in found if isinstance(each, Message)]
    assert len({each.event_id for each in messages}) == 20_932
    assert len({each.contact.value.removeprefix("+") for each in messages}) == 1_017
    assert Counter(each.direction for each in messages) == {"inbound": 10_332, "outbound": 10_600}
    by_contact: dict[str, list[datetime]] = {}
    for each in messages:
        by_contact.setdefault(each.contact.value.removeprefix("+"), []).append(each.occurred_at)
    assert all(len(set(times)) == len(times) for times in by_contact.values())
    paid = [each for each in found if isinstance(each, Payment)]
    assert len({each.event_id for each in paid}) == 2 * 969
    assert len({each.payment_id for each in paid}) == 969
    assert summary.paid_minor == sum({each.payment_id: each.amount_minor for each in paid}.values())
    assert Counter(each.contact is None for each in paid if each.kind == "payment.captured") == {True: 424, False: 545}


def test_the_tenant_is_applied_before_its_segments_appear(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / "home")
    seen: list[list[Path]] = []

    def apply_tenants(given: Settings, file: Path) -> str:
        assert given is settings
        assert read(file.read_text(encoding="utf-8")).problems == []
        seen.append(list(settings.inbox.iterdir()))
        return "applied"

    monkeypatch.setattr("orchestration.tenant_command.apply_tenants", apply_tenants)
    said = replay_into(settings, NAME, small)
    assert "2 conversations, 5 messages and 3 payments" in said
    assert seen == [[]]
    assert len(list(settings.inbox.glob("replay-*"))) == 1
