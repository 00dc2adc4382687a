"""Ways out, one module a way: each sends one delivery once and says what became of it.

Every module offers `CHANNEL` and a class `Channel` made from `SenderTools`; it is found by its name, so a new way out touches no list.
Not here: whether to send (`core.gate`), when (`assets.delivery`).
"""

import importlib
import pkgutil
from collections.abc import Mapping

from core.action_ports import Sender
from orchestration.resources.senders._tools import SenderTools


def senders(tools: SenderTools) -> Mapping[str, Sender]:
    """Every way out by its channel."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.CHANNEL: module.Channel(tools) for module in modules}
