"""The pages in the order of the menu.

Here belongs that order, and nothing else.
"""

from collections.abc import Sequence

from assets.pages import experiments, leads, models, platform, privacy, sla, today, tokens
from ml.reports.site.parts import Topic

TOPICS: Sequence[Topic] = (
    today.TOPIC, sla.TOPIC, leads.TOPIC, tokens.TOPIC, experiments.TOPIC, models.TOPIC, privacy.TOPIC, platform.TOPIC,
)  # fmt: skip
