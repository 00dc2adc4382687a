"""The schema of the state, in numbered steps that only go forward.

Here belong the steps and the way to run them. Not here: connections (`orchestration.resources.state`).
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_BEFORE = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)


@cache
def head() -> str:
    """The newest revision, that which none follows, read from the files: finding nothing to do must not cost the import of alembic (0.3 s).

    Not the highest number: steps that were made side by side follow each other in the order in which they landed.
    """
    followed = {step for path in _files() for step in _BEFORE.findall(path.read_text(encoding="utf-8"))}
    [newest] = _steps() - followed
    return newest


def is_known(step: str) -> bool:
    """Whether this version has a step: if not, what stands at it was made by a newer one."""
    return step in _steps()


def _steps() -> set[str]:
    return {path.stem for path in _files()}


def _files() -> list[Path]:
    return sorted((FOLDER / "versions").glob("[0-9]*.py"))
