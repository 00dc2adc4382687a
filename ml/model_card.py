"""The card of a version: what it was made from, how good it is and for whom, what it cannot do, and who answers for it.

Here belongs putting it together, as data and as a page to read (Mitchell and others 2019, Model Cards for Model Reporting). Not here:
training (`ml.training`), approvals as they happen (`core.models.Change`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ml import evaluation
from ml.evaluation import Quality
from ml.training import Trained

FEWEST_TO_SHOW = 20
"""Rows of either outcome below which a group's ranking is not shown."""

LIMITS = (
    "It ranks leads by what it has seen; it is no cause, and acting on a feature need not change the outcome.",
    "It knows nothing of what leads write beyond the listed features.",
    "Probabilities hold for leads like those that it was fitted to; drift is watched weekly and says when they no longer do.",
)


def card(trained: Trained, about: Mapping[str, Any], groups: Mapping[str, ArrayLike] | None = None) -> dict[str, Any]:
    """The card as JSON-able data.

    Args:
        trained: what training gave.
        about: model, tenant, owner, purpose, horizon, when and by whom; passed on as they are.
        groups: for each kind of group (tenant, channel), the group of every judged row; arrays (judged rows,).
    """
    judged = trained.judged
    made: dict[str, Any] = dict(about) | {
        "data": {"rows": trained.rows, "positives": sum(trained.positives.values()), "tenants": len(trained.positives)},
        "calibration": dict(trained.choice),
        "findings": [each._asdict() for each in trained.findings],
        "limits": list(LIMITS),
    }
    if judged is None:
        return made | {"quality": None, "why_not_judged": "too few later outcomes"}
    said, was, rows = evaluation.reliability(judged.outcome, judged.probability)
    made["quality"] = {name: numbers(each) for name, each in judged.of.items()}
    made["reliability"] = [{"said": float(a), "was": float(b), "rows": int(n)} for a, b, n in zip(said, was, rows, strict=True)]
    made["groups"] = {kind: _groups(judged.outcome, judged.probability, np.asarray(of).astype(str)) for kind, of in (groups or {}).items()}
    return made


def numbers(quality: Quality) -> dict[str, float | int | None]:
    """A quality as JSON; what is not known is null."""
    values = {name: getattr(quality, name) for name in quality.__dataclass_fields__}
    return {name: None if value is None or value != value else value for name, value in values.items()}  # noqa: PLR0124 — NaN


def page(made: Mapping[str, Any]) -> str:
    """The card as Markdown, its calibration plot drawn in text."""
    about = [f"- {name.replace('_', ' ')}: {value}" for name, value in made.items() if isinstance(value, str | int | float)]
    lines = [f"# Model card: {made.get('model', 'model')}", "", *about, ""]
    lines += ["## Data", "", *(f"- {name}: {value:,}" for name, value in made["data"].items()), ""]
    if made["quality"] is None:
        lines += ["## Quality", "", f"Not judged: {made['why_not_judged']}.", ""]
    else:
        lines += ["## Quality on the last fifth, fitted to what came before", "", *_table(made["quality"]), ""]
        lines += ["## Calibration", "", "```", *_plot(made["reliability"]), "```", ""]
        for kind, of in made["groups"].items():
            lines += [f"## By {kind}", "", *_table(of), ""]
    if made["findings"]:
        lines += ["## Found in the data", "", *(f"- {each['kind']} {each['about']}: {each['detail']}" for each in made["findings"]), ""]
    return "\n".join([*lines, "## Limits", "", *(f"- {each}" for each in made["limits"]), ""])


def _groups(y: Any, p: Any, group: Any) -> dict[str, Any]:
    found = {}
    for name in np.unique(group):
        own = group == name
        made = numbers(evaluation.quality(y[own], p[own]))
        if min(y[own].sum(), (1 - y[own]).sum()) < FEWEST_TO_SHOW:
            made |= {"auc": None, "alift": None, "best_half": None}
        found[str(name)] = made
    return found


def _table(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    columns = ("rows", "positives", "auc", "alift", "best_half", "brier", "log_loss", "ece")
    shown = [[name, *("–" if (v := each[column]) is None else f"{v:.4f}" if isinstance(v, float) else f"{v:,}" for column in columns)]
             for name, each in rows.items()]  # fmt: skip
    return [_row(["", *columns]), _row(["---"] * (len(columns) + 1)), *map(_row, shown)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plot(bins: Sequence[Mapping[str, float]]) -> list[str]:
    """One line a bin: what was said (o) and what was (x) from 0 to 1."""
    lines = []
    for each in bins:
        line = ["·"] * 51
        line[round(each["said"] * 50)] = "o"
        line[round(each["was"] * 50)] = "x" if line[round(each["was"] * 50)] == "·" else "*"
        lines.append(f"{''.join(line)}  said {each['said']:.3f}  was {each['was']:.3f}  rows {each['rows']:,}")
    return lines
