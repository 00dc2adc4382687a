"""A program that delivers beside others, as `flexoraa up` and a run of Dagster do: says that it is ready, and begins when told so.

Arguments: home, the state's address, the receiver's address.
"""

import sys
from pathlib import Path

import httpx

from assets.delivery import deliver
from orchestration.resources.clock import FixedClock
from orchestration.resources.lookup import VaultLookup
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.receipts import InboxReceipts
from orchestration.resources.senders import senders
from orchestration.resources.senders._tools import SenderTools
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW


def main() -> None:
    """One round, with four hands."""
    home, url, receiver_url = sys.argv[1:]
    settings, state = Settings.load(Path(home), {}), State(url)
    lookup = VaultLookup(state, Vault(state, settings.master_key()), FixedClock(NOW))
    with httpx.Client() as client, state.begin():
        ways = senders(SenderTools(client, lookup, receiver_url))
        print("ready", flush=True)
        sys.stdin.readline()
        deliver(PostgresOutbox(state, hands=4), ways, InboxReceipts(settings.inbox, lookup), FixedClock(NOW), "beside")
    state.dispose()


if __name__ == "__main__":
    main()
