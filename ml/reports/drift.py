"""Evidently's page of a week's columns against their baseline, with our verdict on top: HTML text from frames.

Here belongs the page. Not here: the verdict (`ml.drift`), which rows it shows and how they are sampled (`assets.drift_pages`). Evidently
draws and tests each column by itself at its own thresholds; what counts is the verdict.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

# The page holds all of its script; some of it names addresses, of which none is needed. With this no browser asks them, whatever it does.
_ALONE = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
_HEAD = """<meta http-equiv="Content-Security-Policy" content="{{ alone }}">
<title>{{ title }}</title>"""
_TOP = """<div style="font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:1rem auto;padding:0 1rem;color:#222">
<h1>{{ title }}</h1>
<p style="font-size:1.15rem">Verdict: <b>{{ verdict }}</b></p>
<ul>{% for each in reasons %}<li>{{ each }}</li>{% endfor %}</ul>
{% for each in notes %}<p>{{ each }}</p>{% endfor %}
<p>What follows is drawn by Evidently, column by column at its own thresholds; the verdict above is not made of it.</p></div>"""
_TEMPLATES = Environment(autoescape=True)


@dataclass(frozen=True, slots=True)
class DriftPage:
    """What our part of the page says."""

    title: str
    verdict: str
    reasons: Sequence[str]
    notes: Sequence[str]


def render(page: DriftPage, reference: Any, current: Any, numbers: Sequence[str], texts: Sequence[str]) -> str:
    """The page, about 4 MB.

    Args:
        page: our part.
        reference: a pandas frame of rows laid out from the baseline.
        current: a pandas frame with the same columns, of the week's rows.
        numbers: columns of numbers.
        texts: columns of text.
    """
    from evidently import DataDefinition, Dataset, Report  # here: 14 s that nobody else needs
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(numbers), categorical_columns=list(texts))
    made = Report([DataDriftPreset()]).run(Dataset.from_pandas(current, definition), Dataset.from_pandas(reference, definition))
    with tempfile.TemporaryDirectory(prefix="flexoraa-report-") as folder:
        path = Path(folder) / "page.html"
        made.save_html(str(path))
        html = path.read_text(encoding="utf-8")
    head = _TEMPLATES.from_string(_HEAD).render(alone=_ALONE, title=page.title)
    top = _TEMPLATES.from_string(_TOP).render(title=page.title, verdict=page.verdict, reasons=page.reasons, notes=page.notes)
    return html.replace("<head>", f"<head>{head}", 1).replace("<body>", f"<body>{top}", 1)
