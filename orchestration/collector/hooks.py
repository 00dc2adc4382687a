"""`flexoraa tenant hooks`: what to enter at the vendors.

Here belongs the list. Not here: who may connect (`core.tenancy`), how a token follows from a secret (`connections`).
"""

import pyarrow as pa

from orchestration.collector.connections import META_SOURCES, verify_token
from orchestration.resources.clock import SystemClock
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault


def hooks(settings: Settings) -> pa.Table:
    """One row per account that is connected now and secret that signs for it: tenant, source, account, path, verify token."""
    clock = SystemClock()
    now = clock.now()
    with open_state(settings) as state:
        directory = PostgresLedger(state, Vault(state, settings.master_key()), clock).directory()
    rows = []
    for source, account_id in sorted(directory.accounts):
        account = directory.at(source, account_id, now)
        if account is None:
            continue
        for secret in account.secrets:
            token = verify_token(secret) if source in META_SOURCES else ""
            rows.append((account.tenant_id, source, account_id, f"/hooks/{source}", token))
    names = ("tenant_id", "source", "account_id", "path", "verify_token")
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
