"""The command line: every command explains itself, and every wrong use is one sentence with its exit code."""

import csv
import io
import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import duckdb
import pytest
import typer

from orchestration import cli
from orchestration.resources.settings import Settings
from orchestration.resources.state import State

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flexoraa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command in this process; returns its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["flexoraa", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        code = stopped.value.code
        written = capsys.readouterr()
        return (0 if code is None else int(code)), written.out, written.err

    return run


def commands(command: object = None, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    command = command or typer.main.get_command(cli.app)
    children = getattr(command, "commands", {})
    for child, value in children.items():
        yield from commands(value, (*name, child))
    if not children:
        yield name, command  # type: ignore[misc]


@pytest.mark.parametrize("name", [name for name, _ in commands()], ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(flexoraa: Run, name: tuple[str, ...]) -> None:
    code, out, _ = flexoraa(*name, "--help")
    assert code == 0
    text = re.sub(r"\s+", " ", out)
    assert f"Example: flexoraa {' '.join(name)}" in text
    assert text.index("Usage:") + 60 < text.index("Example:"), "it does not say what it does"


def test_a_python_that_is_too_old_is_told_in_a_sentence_with_what_to_do(tmp_path: Path) -> None:
    (old := tmp_path / "python3").write_text('#!/bin/sh\ntest "$1" = --version && echo Python 3.9.2\ntest "$1" = --version\n')
    old.chmod(0o755)
    command = ["make", "--always-make", ".venv/runtime.stamp", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"Python 3.11 or newer is needed; Python 3.9.2 is {old}. Set PYTHON=/path/to/python3.11" in done.stdout


def test_every_option_is_explained_or_plain() -> None:
    for name, command in commands():
        assert (command.help or "").strip().endswith("."), name


def test_without_a_command_it_shows_its_help(flexoraa: Run) -> None:
    code, out, _ = flexoraa()
    assert code in {0, 2}
    assert "Exit codes: 0 done" in re.sub(r"\s+", " ", out)


def test_a_setting_that_does_not_exist_is_refused_with_the_nearest(flexoraa: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLEXORAA_WHATSAP_URL", "x")
    for arguments in (["run"], ["status"], ["sql", "select 1"], ["up"], ["tenant", "apply", "x.yaml"]):
        code, out, err = flexoraa(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("flexoraa: FLEXORAA_WHATSAP_URL is no setting of this version; did you mean FLEXORAA_WHATSAPP_URL?")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("moment", "word"),
    [("yesterday", "ISO 8601"), ("2026-11-22T18:00:00", "no offset"), ("2026-02-30T00:00:00Z", "ISO 8601"), ("", "ISO 8601")],
)
def test_a_moment_that_is_none_is_refused_before_anything_is_made(flexoraa: Run, tmp_path: Path, moment: str, word: str) -> None:
    code, _, err = flexoraa("run", "--as-of", moment)
    assert code == 2
    assert word in err
    assert list(tmp_path.iterdir()) == []


def test_a_bad_tenants_file_is_refused_whole_with_its_lines(flexoraa: Run, settings: Settings, state: State, tmp_path: Path) -> None:
    text = (
        (ROOT / "examples" / "tenants.yaml")
        .read_text()
        .replace("default_region: IN", "default_region: Mars")
        .replace("asha_homes", "mars_homes")
    )
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "Mars" in each)
    (tmp_path / "tenants.yaml").write_text(text)
    code, out, err = flexoraa("tenant", "apply", tmp_path / "tenants.yaml", "--home", settings.home)
    assert (code, out) == (2, "")
    assert f"tenants.yaml:{line}: " in err
    assert "Traceback" not in err
    with state.psycopg() as connection:
        assert connection.execute("select count(*) from ops.tenants where tenant_id = 'mars_homes'").fetchone() == (0,)


def test_a_tenants_file_that_is_not_there_is_wrong_use(flexoraa: Run, settings: Settings, state: State) -> None:
    code, _, err = flexoraa("tenant", "apply", "nowhere.yaml", "--home", settings.home)
    assert code == 2
    assert "nowhere.yaml" in err


def test_a_simulation_or_a_replay_that_cannot_be_is_wrong_use(flexoraa: Run, tmp_path: Path) -> None:
    code, _, err = flexoraa("simulate", "--out", tmp_path / "sim", "--days", 1)
    assert code == 2
    assert "'--days'" in err
    assert not (tmp_path / "sim").exists()
    code, _, err = flexoraa("replay", "no_such_set", tmp_path, "--home", tmp_path / "home")
    assert code == 2
    assert err.startswith("flexoraa: no data set 'no_such_set'; known: ")


def test_a_port_in_use_is_wrong_use_and_starts_nothing(flexoraa: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = flexoraa("up", "--port", port, "--home", tmp_path / "home")
    assert (code, err) == (2, f"flexoraa: port {port} of 127.0.0.1 is in use: stop what listens there, or give another with --port\n")
    assert list(tmp_path.iterdir()) == []


def test_status_of_an_empty_home_is_all_zero(flexoraa: Run) -> None:
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        home = Path(folder) / "home"
        code, out, _ = flexoraa("status", "--json", "--home", home)
        assert code == 0
        assert json.loads(out) == {
            "home": str(home), "engine": "duckdb", "warehouse": "there is no warehouse yet: run `flexoraa run` first",
            "waiting_segments": 0, "conservation": {}, "unmodelled": [],
            "quarantine": {}, "quarantine_states": {}, "held_segments": [], "actions": [], "marts": {},
        }  # fmt: skip
        code, out, _ = flexoraa("status", "--home", home)
        assert code == 0
        assert "Actions: nothing yet" in out


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A home with a small warehouse, a lake of one file and a secret beside them."""
    home = tmp_path / "home"
    (home / "lake" / "messages").mkdir(parents=True)
    (home / "secrets").mkdir()
    (home / "secrets" / "master.key").write_text("secret\n")
    parquet = home / "lake" / "messages" / "x.parquet"
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(f"copy (select 'm1' as id) to '{parquet}' (format parquet)")
        connection.execute("create schema marts; create schema lake")
        connection.execute(f"create view lake.messages as from read_parquet('{parquet}')")
        connection.execute(
            "create table marts.odd as select * from (values (1, 'a,\"b\"\nc', timestamptz '2026-11-22 12:00:00.123456+00', 'nan'::double, "
            "[1, 2], 1.50::decimal(9,2), ''), (2, null, null, 0.5, null, null, '[/red] [bold]')) as v (id, text, moment, number, list, price, mark)"
        )
    return home


def test_sql_as_json(flexoraa: Run, small: Path) -> None:
    code, out, err = flexoraa("sql", "from marts.odd order by id", "--format", "json", "--home", small)
    assert (code, err) == (0, "")
    assert "NaN" not in out
    first = {
        "id": 1,
        "text": 'a,"b"\nc',
        "moment": "2026-11-22T12:00:00.123456+00:00",
        "number": None,
        "list": [1, 2],
        "price": "1.50",
        "mark": "",
    }
    second = {"id": 2, "text": None, "moment": None, "number": 0.5, "list": None, "price": None, "mark": "[/red] [bold]"}
    assert json.loads(out) == [first, second]


def test_sql_as_csv(flexoraa: Run, small: Path) -> None:
    code, out, err = flexoraa("sql", "from marts.odd order by id", "--format", "csv", "--home", small)
    assert (code, err) == (0, "")
    head, first, second = csv.reader(io.StringIO(out))
    assert head == ["id", "text", "moment", "number", "list", "price", "mark"]
    assert first == ["1", 'a,"b"\nc', "2026-11-22 12:00:00.123456Z", "nan", "[1, 2]", "1.50", ""]
    assert second == ["2", "", "", "0.5", "", "", "[/red] [bold]"]


def test_sql_as_a_table_for_people(flexoraa: Run, small: Path) -> None:
    code, out, err = flexoraa("sql", 'select id, mark, 7 as id, id as "[/x]" from marts.odd order by 1', "--home", small)
    assert (code, err) == (0, "")
    assert [re.findall(r"[^│┃]+", line) for line in out.splitlines() if "red" in line or "mark" in line] == [
        [" id ", " mark          ", " id_3 ", " [/x] "],
        [" 2  ", " [/red] [bold] ", " 7    ", " 2    "],
    ]


def test_sql_reads_the_lake_through_its_views(flexoraa: Run, small: Path) -> None:
    assert flexoraa("sql", "from lake.messages", "--format", "csv", "--home", small)[:2] == (0, '"id"\n"m1"\n')


@pytest.mark.parametrize(
    "statement",
    [
        "select 1; select 2", "", "create table marts.x as select 1", "drop table marts.odd", "insert into marts.odd (id) values (3)",
        "update marts.odd set id = 9", "delete from marts.odd", "copy (select 1 as a) to '{home}/lake/messages/evil.parquet'",
        "explain analyze copy (select 1 as a) to '{home}/lake/messages/evil.parquet'", "copy marts.odd to '{home}/evil.csv'",
        "export database '{home}/lake/evil'", "attach '{home}/evil.duckdb'", "set enable_external_access = true", "pragma version",
        "install httpfs", "load httpfs", "select * from read_csv('/etc/passwd')", "from '/etc/passwd'",
        "select * from read_text('{home}/secrets/master.key')", "select * from read_text('{home}/lake/../secrets/master.key')",
        "select * from glob('/etc/*')", "select * from read_csv('https://example.com/x.csv')", "selec 1", "select * from marts.nothing",
        "select getenv('HOME')", "select error('no')",
    ],
)  # fmt: skip
def test_sql_reads_one_query_and_nothing_else(flexoraa: Run, small: Path, statement: str) -> None:
    before = {str(path): path.read_bytes() for path in small.rglob("*") if path.is_file()}
    code, out, err = flexoraa("sql", statement.format(home=small), "--home", small)
    assert (code, out) == (1, "")
    assert err.startswith("flexoraa: ")
    assert "Traceback" not in err
    assert {str(path): path.read_bytes() for path in small.rglob("*") if path.is_file()} == before


def test_sql_before_the_first_run_says_what_to_do(flexoraa: Run, tmp_path: Path) -> None:
    expected = (1, "", "flexoraa: there is no warehouse yet: run `flexoraa run` first\n")
    assert flexoraa("sql", "select 1", "--home", tmp_path / "home") == expected
    assert list(tmp_path.iterdir()) == []


def test_sql_on_a_file_that_is_no_warehouse_does_not_blame_another_process(flexoraa: Run, small: Path) -> None:
    (small / "warehouse.duckdb").write_bytes(b"not a database" * 999)
    code, _, err = flexoraa("sql", "select 1", "--home", small)
    assert code == 1
    assert "another process" not in err


def test_sql_while_another_process_writes_says_so(flexoraa: Run, small: Path) -> None:
    program = f"import duckdb, sys; c = duckdb.connect({str(small / 'warehouse.duckdb')!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        code, out, err = flexoraa("sql", "select 1", "--home", small)
        holder.communicate("")
    assert (code, out) == (1, "")
    assert err.startswith("flexoraa: the warehouse is being written by another process; try again when its run has ended")


def test_simulate_and_apply_answer_scripts_in_json(flexoraa: Run, tmp_path: Path) -> None:
    traffic = tmp_path / "traffic"
    code, out, _ = flexoraa("simulate", "--out", traffic, "--tenants", "1", "--leads", "4", "--json")
    assert (code, json.loads(out)["segments"]) == (0, len(list((traffic / "inbox").iterdir())))
    planted = json.loads(out)["planted"]
    assert (planted["leads"], sum(planted["appointments"].values())) == (4 + 8 + 8 + 8 + 8, 8)
    assert planted["messages"]["instagram inbound"] > 8
    with tempfile.TemporaryDirectory(prefix="flexoraa-cli-") as folder:
        code, out, _ = flexoraa("tenant", "apply", traffic / "tenants.yaml", "--home", Path(folder) / "home", "--json")
    answer = json.loads(out)
    assert (code, answer["applied"], answer["unchanged"]) == (0, ["meridian_homes"], [])
    assert answer["rows"] > 20
