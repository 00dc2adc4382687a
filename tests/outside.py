"""What others made and the project does not contain: real webhook bodies and data sets, in `../shared` beside it. Tests that need them skip without."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
PAYLOADS = SHARED / "payloads"
"""263 webhook bodies, a folder a source."""

needs_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the bodies that others wrote (../shared/payloads) are not on this machine"
)


def data(*parts: str) -> Path:
    """A file or folder of a real data set; the test skips where it is absent."""
    path = SHARED.joinpath("data", *parts)
    if not path.exists():
        pytest.skip(f"needs real data at ../shared/data/{'/'.join(parts)}, which this machine has not")
    return path
