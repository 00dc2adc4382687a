"""Documents say what is there: links lead somewhere, named files exist, commands are real, schemas and snapshots are those of the code."""

import re
from pathlib import Path

import pytest

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


def test_the_configuration_reference_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run python -m orchestration.reference_page"
