"""The schema of the state, in numbered steps that only go forward.

Here belong the steps and the way to run them. Not here: connections (`orchestration.resources.state`).
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
_FOLLOWS = re.compile(r'^down_revision = "(.+)"$', re.MULTILINE)


def head() -> str:
    """The step that no other follows, read from the files: finding nothing to do must not cost the import of alembic (0.3 s)."""
    texts = [path.read_text(encoding="utf-8") for path in (FOLDER / "versions").glob("[0-9]*.py")]
    return (_steps() - {name for text in texts for name in _FOLLOWS.findall(text)}).pop()


def is_known(step: str) -> bool:
    """Whether this version has a step: if not, what stands at it was made by a newer one."""
    return step in _steps()


def _steps() -> set[str]:
    return {path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")}
