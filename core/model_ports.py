"""Where models are kept, as the assets need it.

Here belongs the port. Not here: the shapes and decisions (`core.models`), the adapter (`orchestration.resources.registry`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from core.models import Change, ModelPolicy, ModelVersion, Prediction


class Registry(Protocol):
    """Versions with their files, the journal of champions, and the log of predictions. Nothing in it is ever changed."""

    def store(self, draft: ModelVersion, data: bytes, page: str) -> ModelVersion:
        """Keep a new version: its number and place are given here, those of the draft are not looked at. `page` is its card to read."""
        ...

    def versions(self, tenant_id: str | None = None, model: str | None = None) -> Sequence[ModelVersion]:
        """All versions, the oldest first."""
        ...

    def data(self, version: ModelVersion) -> bytes:
        """The file of a version as it lies there: whoever reads it checks it against `sha256`."""
        ...

    def changes(self, as_of: datetime | None = None) -> Sequence[Change]:
        """The journal up to a moment, or all of it, in its order."""
        ...

    def change(self, change: Change) -> bool:
        """Add an entry and ask for its actions, in one transaction; False where another follows the same entry already."""
        ...

    def log(self, predictions: Sequence[Prediction]) -> int:
        """Keep predictions, each version's of a lead's instant once; returns how many were new."""
        ...

    def logged(self, as_of: datetime) -> Sequence[Prediction]:
        """All predictions made up to a moment, without outcomes."""
        ...

    def policy(self, model: str, moment: datetime) -> ModelPolicy:
        """What is valid at a moment."""
        ...

    def tenants(self) -> Sequence[str]:
        """All tenants."""
        ...

    def mirror(self) -> Mapping[str, int]:
        """Point the registry's aliases where the journal says; returns the champion of each registered model."""
        ...
