"""The schema of the state, in numbered steps that only go forward.

Here belong the steps and the way to run them. Not here: connections (`orchestration.resources.state`).
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def head() -> str:
    """The step that none comes after, read from the files: finding nothing to do must not cost the import of alembic (0.3 s).

    The numbers name steps and do not order them: two people may have made the same place in the chain theirs.
    """
    texts = [path.read_text(encoding="utf-8") for path in (FOLDER / "versions").glob("[0-9]*.py")]
    followed = {match[1] for text in texts if (match := re.search(r'^down_revision = "(\w+)"', text, re.MULTILINE))}
    [newest] = _steps() - followed
    return newest


def is_known(step: str) -> bool:
    """Whether this version has a step: if not, what stands at it was made by a newer one."""
    return step in _steps()


def _steps() -> set[str]:
    return {path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")}
