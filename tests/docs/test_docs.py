"""Documents say what is there: links lead somewhere, named files exist, commands are real, schemas and snapshots are those of the code."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.reference_page import PAGE
from orchestration.reference_page import page as reference
from orchestration.schemas import DOCS, schemas, text_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *DOCS.glob("*.md")])
_COMMAND = re.compile(r"flexoraa (?!OS)((?:[a-z]+ ?)+)")
_PATH = re.compile(r"`((?:core|ml|assets|orchestration|dbt_project|tests|docs|examples|benchmarks)/[\w./-]*\w)")
_TEST = re.compile(r"`(test_\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    missing += [name for name in _PATH.findall(text) if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(_TEST.findall(page.read_text(encoding="utf-8")))
    assert {name for name in named if f"def {name}(" not in code and name not in files} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_real(page: Path) -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    named = {match.split()[0] for match in _COMMAND.findall(page.read_text(encoding="utf-8")) if match.split()}
    assert named - known == set()


@pytest.mark.parametrize("name", sorted(schemas()))
def test_published_schemas_are_those_of_the_code(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text_of(schemas()[name]), "run python -m orchestration.schemas"


def _commands(group: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command below a group, by the words that call it."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield (*path, command.name or command.callback.__name__.replace("_", "-"))
    for each in group.registered_groups:
        assert each.typer_instance is not None
        yield from _commands(each.typer_instance, (*path, str(each.name)))


@pytest.mark.parametrize("command", sorted(_commands(app)), ids=" ".join)
def test_every_command_shows_an_example_of_itself_and_says_what_it_does(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    assert f"Example: flexoraa {' '.join(command)}" in text
    assert text.index("Usage:") + 60 < text.index("Example:"), "it does not say what it does"


def test_the_configuration_reference_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run python -m orchestration.reference_page"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_shown_command_line_is_one_that_the_program_takes(path: Path) -> None:
    """Options and subcommands of every `flexoraa …` in a block of code: read by the program's own parser, up to its work."""
    blocks = re.findall(r"```\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if re.match(r"(\.venv/bin/)?flexoraa ", line)]
    root = typer.main.get_command(app)
    for line in lines:
        words = shlex.split(line.split("  #")[0].split(" # ")[0].split("   →")[0])[1:]
        group: Any = root
        while words and getattr(group, "commands", None):
            assert words[0] in group.commands, line
            group = group.commands[words.pop(0)]
        if "--help" not in words:
            group.make_context("flexoraa", words, resilient_parsing=False)
