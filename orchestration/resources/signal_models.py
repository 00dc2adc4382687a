"""The fitted models of an installation: made once from the shipped tables, kept under FLEXORAA_HOME/models, and opened from there.

Fitted on first use (1 s) and not shipped: a file of 2 MB that follows from 80 kB of tables by a second's work would only be one more
thing to trust. Its HMAC under a key of the vault lies beside it, so a file that was changed, or brought from elsewhere, is refused. Not
here: fitting (`ml.signals.model`), the format (`ml.signals.artefact`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from core.ports import Vault
from orchestration.resources.durable import make_durable

if TYPE_CHECKING:
    from ml.signals.model import Models

_PURPOSE = "models"


class ModelFileError(Exception):
    """A file of models that is not what this installation wrote; the message says what to do."""


class SignalModels:
    """The folder of models of one installation."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        """Take the folder, which is made when something is kept, and the vault whose platform key vouches."""
        self._folder, self._vault = folder, vault

    def path(self) -> Path:
        """Where today's version lies."""
        from ml.signals.tables import version

        return self._folder / f"signals-{version()}.skops"

    def load(self) -> "Models":
        """Today's models, fitted first where they are not there yet.

        Raises:
            ModelFileError: the file was changed since it was written, or has no digest.
        """
        from ml.signals import artefact  # here: scikit-learn, 5 s of processor time on a busy machine

        path = self.path()
        if not path.exists():
            return self.train()
        try:
            expected = path.with_suffix(".hmac").read_text(encoding="ascii").strip()
            return artefact.loads(path.read_bytes(), self._key(), expected)
        except (OSError, UnicodeDecodeError, artefact.ArtefactError) as error:
            why = "its digest cannot be read" if isinstance(error, (OSError, UnicodeDecodeError)) else str(error)
            message = f"{path} is refused: {why}; remove it, and `flexoraa signals train` makes it anew from the shipped tables"
            raise ModelFileError(message) from error

    def ensure(self) -> Path:
        """Where they lie, fitted first where they are not there yet; they are not opened."""
        path = self.path()
        if not path.exists():
            self.train()
        return path

    def train(self) -> "Models":
        """Fit today's models and keep them in the place of what is there."""
        from ml.signals import artefact
        from ml.signals.model import fit_models

        models = fit_models()
        data = artefact.dumps(models)
        path = self.path()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for target, content in ((path.with_suffix(".hmac"), artefact.digest(data, self._key()).encode()), (path, data)):
            draft = target.with_name(f".{target.name}")
            draft.write_bytes(content)
            draft.replace(target)
        make_durable([path, path.with_suffix(".hmac"), self._folder])
        return models

    def _key(self) -> bytes:
        return self._vault.tenant_key("", _PURPOSE)
