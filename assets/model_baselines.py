"""What drift of a version is measured against, frozen when it is trained.

Here belong the rows of a baseline. Not here: the baseline itself (`ml.drift`), where it is kept (`core.drift_ports`).
"""

from datetime import datetime

from assets.model_drift import baseline_of
from assets.model_training import Made
from core.drift_ports import Baselines, Served
from ml.columns import take
from ml.drift.feature import BaselineError


def freeze_baseline(baselines: Baselines, made: Made, as_of: datetime) -> str:
    """Freeze the tenant's own rows of the last fifth, with what a fit to the rows before them said; empty, or why there is none."""
    if made.version is None or made.judged is None:
        return "no later rows: drift of this version is not judged"
    own = (made.judged.tenant == made.tenant_id).nonzero()[0]
    served = Served(made.tenant_id, made.version.model, made.version.version)
    try:
        stored = baseline_of(served, take(made.judged.columns, own), made.judged.probability[own], made.judged.outcome[own], as_of)
    except BaselineError as error:
        return f"drift of this version is not judged: {error}"
    baselines.freeze(stored)
    return ""
