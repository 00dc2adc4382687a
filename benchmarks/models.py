"""Models beside their references: message signals, lead scoring, drift; one claim a line.

Here belongs running the three parts (`_models_text`, `_models_scoring`, `_models_drift`). Not here: what is measured. A part whose data
are not in ../shared/data is left out, and said.
`python -m benchmarks.models [--only text scoring drift] --json`
"""

import argparse
import sys

from benchmarks import _models_drift, _models_scoring, _models_text

_PARTS = {"text": _models_text, "scoring": _models_scoring, "drift": _models_drift}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=_PARTS, default=list(_PARTS), help="parts to run")
    parser.add_argument("--sets", nargs="*", help="of text: hint3 hwu64 banking77 clinc150 persuasion speed; all without it")
    parser.add_argument("--step", type=int, default=500, help="of scoring: rows between two fits")
    parser.add_argument("--rows", type=int, default=200_000, help="of scoring: rows to score for speed")
    parser.add_argument("--drift-rows", type=int, default=10_000_000, help="of drift: rows of the scan")
    parser.add_argument("--columns", type=int, default=50, help="of drift: columns of the scan; a fifth of them text")
    parser.add_argument("--peer-rows", type=int, default=200_000, help="of drift: rows for Evidently's preset; 0 leaves it out")
    parser.add_argument("--years", type=int, default=1000, help="of drift: model-years without drift")
    parser.add_argument("--json", action="store_true", help="the only format there is")
    options = parser.parse_args()
    for name in options.only:
        try:
            for claim in _PARTS[name].claims(options):
                print(claim.report(), flush=True)
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
