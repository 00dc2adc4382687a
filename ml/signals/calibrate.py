"""`python -m ml.signals.calibrate`: calibrate the shipped tables anew, after a change of them; the result is committed beside them.

Not here: how (`model.calibrate`).
"""

import json
from pathlib import Path

from ml.signals.model import calibrate


def main() -> None:
    """Write `training/calibration.json`."""
    path = Path(__file__).parent / "training" / "calibration.json"
    path.write_text(json.dumps(calibrate(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
