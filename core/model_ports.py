"""Where models are kept, as the assets need it.

Here belong the ports. Not here: the shapes and decisions (`core.models`), the adapters (`orchestration.resources`: `registry`, `scoring`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from core.models import Change, ModelPolicy, ModelVersion, Prediction


class Said(NamedTuple):
    """What a version says of a lead at an instant; `parts` is JSON, what each feature added to the score, which is their sum."""

    version: ModelVersion
    lead_id: str
    trigger_event_id: str
    featured_at: datetime
    row_sha256: str
    score_millionths: int
    probability: float
    parts: str


class Scorer(Protocol):
    """Applies versions to leads where their features lie."""

    def score(self, models: Sequence[tuple[ModelVersion, bytes]], as_of: datetime) -> Sequence[Said]:
        """What each version, whose file is given, says of every lead of its tenant: at the last instant up to a moment that it was open."""
        ...


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
