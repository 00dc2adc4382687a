"""The README's demo block: the demo's real output, with times rounded away.

Here belongs putting that output there (`python -m orchestration.readme < output`); a test fails where it is stale. Not here: the demo.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"(?<=<!-- demo -->\n```\n).*?(?=```\n<!-- /demo -->)", re.DOTALL)
_SECONDS = re.compile(r"\b\d+ s\b")


def timeless(output: str) -> str:
    """The output with every duration as `… s`: all else is the same in each run."""
    return _SECONDS.sub("… s", output).strip() + "\n"


def shown() -> str:
    """What the README shows."""
    found = _BLOCK.search(README.read_text(encoding="utf-8"))
    return found.group() if found else ""


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(_BLOCK.sub(lambda _: timeless(sys.stdin.read()), text), encoding="utf-8")
