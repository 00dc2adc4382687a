"""A panel as Markdown, with bars of characters: for places that show text only, such as metadata in Dagster's UI.

Here belongs that one form. Not here: pages (`frame`).
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ml.reports.site.parts import Panel, Row
from ml.reports.site.values import told

_ROWS = 15
_BAR = 24


def as_markdown(panel: Panel, rows: Sequence[Row], zone: ZoneInfo) -> str:
    """Title, question and the first rows as a table; its first series, or what it names for that, as bars."""
    if not rows:
        return f"**{panel.title}.** {panel.empty}"
    columns = [each for each in panel.columns if each.name != "tenant_id" or panel.scope in {"rows", "tenants"}]
    y = panel.chart.y[0] if panel.chart else panel.bar
    most = max((abs(float(row[y] or 0)) for row in rows), default=0.0) if y else 0.0
    heads = [each.title + (f" ({each.unit})" if each.unit else "") for each in columns] + ([""] if most else [])
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    for row in rows[:_ROWS]:
        cells = [told(each, row, zone).replace("|", "\\|") for each in columns]
        lines.append("| " + " | ".join([*cells, *(["█" * round(_BAR * abs(float(row[y] or 0)) / most)] if most else [])]) + " |")
    more = f"\n\n… and {len(rows) - _ROWS:,} more on the page." if len(rows) > _ROWS else ""
    return f"**{panel.title}.** {panel.asks}\n\n" + "\n".join(lines) + more
