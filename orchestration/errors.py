"""Which errors are told in one sentence, and with which exit code.

Here belongs the list; each class lies beside what raises it. Anything else is a fault of ours and shows its traceback.
"""

import psycopg
import sqlalchemy.exc

from core.audit import AuditError
from core.identity_evidence import StrengthError
from core.models import GovernanceError
from core.privacy import PrivacyError
from core.quarantine import QuarantineError
from core.sealing import SealError
from orchestration.actions_command import ActionError
from orchestration.backup.contents import BackupError
from orchestration.replay import ReplayError
from orchestration.resources.access import AccessError
from orchestration.resources.dbt import DbtError
from orchestration.resources.drift import DriftError
from orchestration.resources.experiments import ExperimentError
from orchestration.resources.identity import IdentityError
from orchestration.resources.lake_files import LakeError
from orchestration.resources.lifetimes import LifetimeError
from orchestration.resources.postgres import PostgresError
from orchestration.resources.pull.http import PullError, PullUsageError
from orchestration.resources.server_user import ServerUserError
from orchestration.resources.settings import SettingsError
from orchestration.resources.signal_models import ModelFileError
from orchestration.resources.tenants import TenantsFileError
from orchestration.resources.vault import VaultError
from orchestration.resources.warehouse import WarehouseError
from orchestration.simulator import SimulationError

USAGE_ERRORS = (
    AccessError, ActionError, AuditError, DriftError, ExperimentError, GovernanceError, IdentityError, PrivacyError, PullUsageError,
    QuarantineError, ReplayError, SettingsError, SimulationError, StrengthError, TenantsFileError,
)  # fmt: skip
"""Wrong use or configuration: exit code 2."""

WORK_ERRORS = (
    BackupError, DbtError, LakeError, LifetimeError, ModelFileError, OSError, PostgresError, PullError, SealError, ServerUserError,
    VaultError, WarehouseError,
    psycopg.OperationalError,
    sqlalchemy.exc.OperationalError,
)  # fmt: skip
"""The work could not be done: exit code 1. OSError is the machine's: a full disk, a missing file, a port in use."""


def exit_code(error: Exception) -> int | None:
    """Its exit code, or None for a fault of ours."""
    if isinstance(error, USAGE_ERRORS):
        return 2
    return 1 if isinstance(error, WORK_ERRORS) else None
