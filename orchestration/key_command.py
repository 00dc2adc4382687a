"""`flexoraa key rotate`: a new master key for an installation, and every key of the vault wrapped under it.

Here belongs the order of steps: the new key beside the old, the vault, then the old one goes. Not here: the wrapping (`rotation`).
"""

from collections.abc import Callable
from typing import Any

from core.audit import PLATFORM
from core.ports import Progress
from orchestration.resources.audit import PostgresAudit, machine_user
from orchestration.resources.clients import alone
from orchestration.resources.master_key import end_rotation
from orchestration.resources.rotation import rewrap
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault, fingerprint


def rotate(settings: Settings, progress: Progress, watch: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
    """Rotate, or end a rotation that was begun; runs wait meanwhile. Returns how many keys were wrapped anew.

    Raises:
        SettingsError: there is no new key to rotate to. VaultError: the vault is not of these keys.
    """
    with open_state(settings) as state, alone(settings.home):
        watch("begun")
        old, new = settings.rotated_keys(watch)
        found = rewrap(state, old, new, progress, watch)
        told = {"keys": found, "was": fingerprint(old).hex(), "is": fingerprint(new).hex()}
        PostgresAudit(state, Vault(state, new)).append(PLATFORM, machine_user(), "key.rotated", "master", told)
        if settings.master_key_text is None:
            end_rotation(settings.master_key_file)
        watch("ended")
    return told | {"source": "environment" if settings.master_key_text is not None else str(settings.master_key_file)}
