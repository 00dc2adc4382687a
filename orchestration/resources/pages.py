"""Reports as files under FLEXORAA_HOME/reports.

Here belongs writing them whole. Not here: what they say (`ml.reports`).
"""

import os
from collections.abc import Mapping
from pathlib import Path


class FolderPages:
    """The port `core.experiments.Pages` over a folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    def names(self) -> list[str]:
        """Every page that lies there, by its name."""
        return sorted(path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.html"))

    def write(self, pages: Mapping[str, str]) -> None:
        """Replace whole pages, by their names; each is written beside and moved into place, and only where it changed."""
        for name, text in pages.items():
            path, content = self._folder / name, text.encode()
            if path.exists() and path.read_bytes() == content:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_bytes(content)
            draft.replace(path)
