"""The schema of the state, in numbered steps that only go forward.

Here belong the steps and the way to run them. Not here: connections (`orchestration.resources.state`).
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def head() -> str:
    """The newest revision, read from the file names: finding nothing to do must not cost the import of alembic (0.3 s)."""
    return max(_steps())


def is_known(step: str) -> bool:
    """Whether this version has a step: if not, what stands at it was made by a newer one."""
    return step in _steps()


def _steps() -> set[str]:
    return {path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")}
