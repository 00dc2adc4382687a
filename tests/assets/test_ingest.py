"""Taking in with a real home: nothing is lost, nothing doubles, nothing personal is left in the clear, and no crash shows."""

import base64
import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from core.sealing import unseal
from orchestration.resources.platform import Platform
from orchestration.simulator import Manifest
from tests.assets.rooms import ROOT, Room, Traffic


def test_all_that_arrives_is_accepted_or_rejected_for_the_planted_reason(room: Room, traffic: Traffic) -> None:
    room.drop_all(traffic.lines, 4)
    taken, repeated = room.take()
    assert (len(taken), repeated, room.inbox.pending()) == (4, 0, [])
    counts = room.platform.ledger.counts()
    assert {(each.segment.segment_id, count.tenant_id, count.source): count for each in taken for count in each.counts} == counts
    assert all(count.received == count.accepted + count.rejected for count in counts.values())
    assert sum(each.line_count for each in taken) == len(traffic.lines)
    truth = traffic.truth
    assert sum((each.reasons for each in taken), Counter()) == room.platform.ledger.refusals() == truth.rejects()
    for tenant, planted in truth.tenants.items():
        assert sum(count.rejected for count in counts.values() if count.tenant_id == tenant) == sum(planted.rejects.values())
    rows = {table: len(found) for table, found in room.rows().items() if found}
    assert sum(rows.values()) == sum(count.accepted for count in counts.values())
    repeats = sum(sum(Counter(each.duplicates).values()) for each in truth.tenants.values())
    assert sum(rows.values()) == sum(truth.accepted().values()) + repeats
    assert room.check()


def test_quarantined_lines_open_with_the_tenants_key(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines)
    ((taken,), _) = room.take()
    with room.platform.state.begin() as connection:
        held = connection.exec_driver_sql("select line, item, tenant_id, body_enc, key_id from ops.quarantine").all()
    assert held
    for line, item, tenant, sealed, key_id in held:
        assert key_id == f"fragment:{tenant}"
        key = room.platform.vault.tenant_key(tenant, "fragment")
        assert unseal(key, sealed, f"{taken.segment.segment_id}:{line}:{item}".encode()) == traffic.lines[line - 1]


def test_taking_in_again_writes_the_same_bytes_and_counts_nothing_twice(room: Room, traffic: Traffic) -> None:
    room.drop_all(traffic.lines)
    room.take()
    files, counts, held = room.files(), room.platform.ledger.counts(), room.held()
    assert files
    room.put_back()  # as if the process had died before it wrote down what it had done
    room.take()
    assert room.files() == files
    assert (room.platform.ledger.counts(), room.held()) == (counts, held)


def test_a_segment_that_comes_again_under_another_name_is_a_repeat(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines)
    room.drop("b.ndjson", traffic.lines)
    taken, repeated = room.take()
    assert (len(taken), repeated) == (1, 1)
    files, counts = room.files(), room.platform.ledger.counts()
    room.drop("c.ndjson", traffic.lines)
    assert room.take() == ([], 1)
    assert (room.files(), room.platform.ledger.counts()) == (files, counts)
    assert room.check()


def test_the_lake_does_not_show_how_a_segment_was_packed_split_or_ended(tmp_path: Path, platform: Platform, traffic: Traffic) -> None:
    found = []
    ways: dict[str, Callable[[bytes], bytes]] = {
        "a.ndjson": bytes,
        "a.ndjson.gz": gzip.compress,
        "a.ndjson.zst": zstandard.ZstdCompressor().compress,
        "b.ndjson": lambda data: data.replace(b"\n", b"\r\n"),
        "c.ndjson": lambda data: b"\n" + data.replace(b"\n", b"\n\n").rstrip(b"\n"),
    }
    for n, (name, pack) in enumerate(ways.items()):
        one = Room(tmp_path / str(n), platform)
        one.forget()
        one.drop(name, traffic.lines, pack)
        ((taken,), _) = one.take()
        found.append((one.rows(), taken.counts, taken.line_count))
    several = Room(tmp_path / "several", platform)
    several.forget()
    several.drop_all(traffic.lines[::-1], 5)
    several.take()
    assert all(each == found[0] for each in found)
    assert several.rows() == found[0][0]


def test_what_lies_in_front_of_the_damage_is_accepted_and_the_damage_is_one_reject(room: Room, traffic: Traffic) -> None:
    packed = gzip.compress(b"".join(line + b"\n" for line in traffic.lines[:300]), 6, mtime=0)
    (room.inbox.folder / "a.ndjson.gz").write_bytes(packed[: len(packed) * 2 // 3])
    (segment,) = room.inbox.pending()
    complete = len(list(room.inbox.lines(segment))) - 1
    assert complete > 50
    ((taken,), _) = room.take()
    assert taken.line_count == complete + 1
    assert [each for each in room.held() if each[2] == "bad_archive"] == [
        (complete + 1, 1, "bad_archive", f"line {complete + 1}, $", "", "", None)
    ]
    assert room.check()
    before = room.rows()
    room.forget()
    other = Room(room.folder / "other", room.platform)
    other.drop("whole.ndjson", traffic.lines[:complete])
    other.take()
    assert other.rows() == before


def test_what_strangers_write_cannot_stop_a_segment(room: Room, traffic: Traffic) -> None:
    line = {"source": "platform", "received_at": "2026-11-20T00:00:00Z", "headers": {}, "body": "{}"}
    deep = "[" * 9999 + "]" * 9999
    poison: list[tuple[dict[str, Any], str]] = [
        (line | {"source": "a\0b"}, "unknown_source"),
        (line | {"source": "x" * 20_000}, "unknown_source"),
        (line | {"body": '{"account_id":"a\\u0000b"}'}, "unknown_account"),
        (line | {"body": json.dumps({"account_id": "x" * 20_000})}, "unknown_account"),
        (line | {"body": f'{{"account_id":"a","x":{deep}}}'}, "bad_shape"),
        (line | {"received_at": "0001-01-01T00:00:00+23:00"}, "bad_line"),
        (line | {"body": "\ufeff{}"}, "not_json"),
        (line | {"body": '{"account_id":"\\ud800"}'}, "not_json"),
        (line | {"headers": {"X-Flexoraa-Signature": "\0"}}, "unknown_account"),
    ]
    lines = [json.dumps(each).encode() for each, _ in poison] + [b'{"x":' + deep.encode() + b"}", b"\xff\xfe", b"\0"]
    room.drop("a.ndjson", [*lines, *traffic.lines[:20]])
    ((taken,), _) = room.take()
    held = room.held()
    assert [each[2] for each in held[: len(lines)]] == [reason for _, reason in poison] + ["bad_line", "invalid_utf8", "bad_line"]
    assert all(each[6] is None for each in held[: len(lines)])
    assert taken.line_count == len(lines) + 20
    assert sum(count.accepted for count in taken.counts) >= 15
    assert room.check()


def test_files_that_hold_nothing_are_taken_in_and_a_name_need_not_be_utf_8(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", [])
    room.drop("b.ndjson", [b"", b"  ", b"\r"])
    room.drop("c.ndjson.part", traffic.lines)
    room.drop(".d.ndjson", traffic.lines)
    room.drop("\udcff.ndjson", [b"\n"])
    taken, repeated = room.take()
    assert [(each.line_count, each.counts) for each in taken] == [(0, [])] * 3
    assert repeated == 0
    assert sorted(path.name for path in room.inbox.folder.iterdir()) == [".d.ndjson", "c.ndjson.part", "done"]
    assert room.files() == {}
    assert room.check()


def test_the_check_fails_when_a_file_of_the_lake_is_lost_or_doubled(room: Room, traffic: Traffic) -> None:
    room.drop_all(traffic.lines)
    room.take()
    assert room.check()
    victim = room.paths()[0]
    content = victim.read_bytes()
    victim.unlink()
    assert not room.check()
    victim.write_bytes(content)
    assert room.check()
    copy = victim.with_name("copy.parquet")
    copy.write_bytes(content)
    assert not room.check()
    copy.unlink()
    stranger = pq.read_table(victim).to_pylist()
    for row in stranger:
        row["segment_id"] = "of nobody"
    pq.write_table(pa.Table.from_pylist(stranger, pq.read_schema(victim)), copy)
    assert not room.check()
    copy.unlink()
    assert room.check()


def test_the_check_fails_when_a_count_says_otherwise(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines)
    room.take()
    with room.platform.state.begin() as connection:
        connection.exec_driver_sql("update ops.segment_counts set received = received + 1, rejected = rejected + 1 where accepted > 0")
    assert room.check()  # a reject more is no lake row less
    with room.platform.state.begin() as connection:
        connection.exec_driver_sql(
            "update ops.segment_counts set accepted = accepted + 1, rejected = rejected - 1 where rejected > 0 and accepted > 0"
        )
    assert not room.check()


CHILD = """
import os, resource, signal, sys
import polars, pyarrow.parquet  # once, not in every fork
from pathlib import Path
from assets.ingest import take_in_all
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings

home, room, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
FOLDERS = (str(room / "lake"), str(room / "inbox"))

def take(limit):
    with open_platform(Settings.load(home, {})) as platform:
        inbox, lake = FolderInbox(room / "inbox"), FolderLake(room / "lake")
        if mode == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        else:
            left = [limit]
            def die(event, arguments):
                # every step that changes the folders, and every commit in between: both sides of it are tried
                if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir") and str(arguments[0]).startswith(FOLDERS):
                    left[0] -= 1
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
            sys.addaudithook(die)
        take_in_all(inbox, lake, platform.ledger, platform.vault, platform.progress)

if mode == "full":
    for limit in (0, 9_000):  # the first file fails; some files fit
        try:
            take(limit)
        except OSError as error:
            print("OSError", error.errno)
else:
    deaths = 0
    for limit in [1, 2, 4, 9, 20, 35, 50, 10_000]:
        child = os.fork()
        if child == 0:
            take(limit)
            sys.stdout.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            deaths += 1
        elif status == 0:
            break
        else:
            sys.exit(f"the child ended with {status}")
    print("deaths", deaths)
"""


def child(room: Room, *arguments: str) -> str:
    """What a process of its own prints that takes in the same room."""
    command = [sys.executable, "-c", CHILD, str(room.platform.settings.home), str(room.folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_whoever_dies_at_any_step_leaves_what_the_next_run_puts_right(tmp_path: Path, platform: Platform, traffic: Traffic) -> None:
    calm, hurt = Room(tmp_path / "calm", platform), Room(tmp_path / "hurt", platform)
    calm.forget()
    calm.drop_all(traffic.lines, 2)
    calm.take()
    wanted = (platform.ledger.counts(), calm.held())
    calm.forget()
    hurt.drop_all(traffic.lines, 2)
    assert int(child(hurt, "die").removeprefix("deaths ")) >= 5
    assert hurt.files() == calm.files()
    assert (platform.ledger.counts(), hurt.held()) == wanted
    assert hurt.inbox.pending() == []
    assert hurt.check()


def test_a_full_disk_leaves_nothing_half_written(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines)
    assert child(room, "full").count("OSError") == 2
    assert room.files() == {}
    assert [each.path.name for each in room.inbox.pending()] == ["a.ndjson"]
    assert room.platform.ledger.counts() == {}
    assert room.held() == []
    room.take()
    assert room.check()


def canaries(truth: Manifest) -> set[bytes]:
    """Every planted name, phone, e-mail and text in the forms in which it might lie about."""
    planted = truth.canaries
    plain = {*planted.names, *planted.emails, *planted.texts, *(phone.removeprefix("+") for phone in planted.phones)}
    assert len(plain) >= 8
    forms = set()
    for text in plain | {each.lower() for each in plain}:
        forms |= {text.encode(), text.encode("utf-16-le"), text.encode().hex().encode(), json.dumps(text)[1:-1].encode()}
        for shift in range(3):  # base64 of a text that stands anywhere: without the characters that neighbours decide
            encoded = base64.b64encode(b"x" * shift + text.encode())
            forms.add(encoded[4 if shift else 0 : -4])
    return {each for each in forms if len(each) >= 8}


def test_no_byte_of_lake_or_state_shows_a_planted_person(room: Room, traffic: Traffic) -> None:
    wanted = canaries(traffic.truth)
    assert any(form in line for line in traffic.lines for form in wanted)  # the search can find
    room.drop_all(traffic.lines)
    room.take()
    stores: dict[str, bytes] = room.files()
    for path in room.paths():
        table = pq.read_table(path)
        stores[f"{path.name} unpacked"] = b"\0".join(
            value if isinstance(value, bytes) else str(value).encode() for column in table.columns for value in column.to_pylist()
        )
    with room.platform.state.psycopg() as connection:
        tables = connection.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables where table_schema in ('ops', 'vault')"
        ).fetchall()
        for (name,) in tables:
            rows = connection.execute(f"select t::text from {name} t").fetchall()
            # bytea is shown in hex, so its bytes are searched as they are too
            stores[name] = "\n".join(row[0] for row in rows).encode()
            stores[f"{name} unpacked"] = b"\0".join(
                bytes.fromhex(part) for row in rows for part in row[0].replace('"', "").split("\\x")[1:] for part in [_hex(part)]
            )
    assert {"ops.quarantine", "vault.points"} <= stores.keys()
    assert sum(map(len, stores.values())) > 500_000
    found = sorted({(store, form) for store, content in stores.items() for form in wanted if form in content})
    assert found == []


def _hex(part: str) -> str:
    digits = part[: next((n for n, each in enumerate(part) if each not in "0123456789abcdef"), len(part))]
    return digits[: len(digits) // 2 * 2]
