"""`flexoraa collect`: the collector as a process, until SIGTERM or SIGINT.

Here belongs putting it together and serving it. Not here: what it does with a request (`app`).
"""

import contextlib
import gc
import logging
import math
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import uvicorn

from orchestration.collector.app import Collector
from orchestration.collector.connections import Connections
from orchestration.collector.fair import PLACES, FairQueue
from orchestration.collector.segments import MAX_BYTES, MAX_SECONDS, SegmentWriter
from orchestration.resources.clock import SystemClock
from orchestration.resources.google_keys import GoogleKeys
from orchestration.resources.ledger import PostgresLedger
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault

GRACE_SECONDS = 10
"""How long requests may take to end after SIGTERM."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than the 60 s of usual proxies, so that it is they who close."""


@dataclass(frozen=True)
class Options:
    """How one collector listens and rotates. `weights` by tenant, 1 where it says nothing."""

    host: str = "127.0.0.1"
    port: int = 8080
    rotate_bytes: int = MAX_BYTES
    rotate_seconds: float = MAX_SECONDS
    queue_places: int = PLACES
    weights: Mapping[str, float] = field(default_factory=dict)


def collect(settings: Settings, options: Options) -> None:
    """Serve until asked to stop; what was taken is in closed segments then.

    Raises:
        SettingsError: the address is in use or not of this machine.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises them again when it has ended; by default they would cut off what is to be closed then
        signal.signal(number, _end)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with _listening(options) as listener, open_state(settings) as state:
        clock = SystemClock()
        google_keys = GoogleKeys(settings.google_keys_url, settings.google_keys, clock)
        ledger = PostgresLedger(state, Vault(state, settings.master_key()), clock, google_keys)
        connections = Connections(state, ledger, google_keys, clock)
        writer = SegmentWriter(settings.inbox, clock, options.rotate_bytes, options.rotate_seconds)
        queue: FairQueue[object] = FairQueue(options.queue_places, options.weights)
        config = uvicorn.Config(
            Collector(connections, writer, queue, clock),
            log_config=None,
            log_level="warning",
            access_log=False,  # addresses and paths of senders are nobody's business here
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        gc.collect()
        gc.freeze()  # what is loaded now stays: collecting it again and again would show in p99
        uvicorn.Server(config).run(sockets=[listener])


def weights(texts: Sequence[str]) -> dict[str, float]:
    """`TENANT=NUMBER` each.

    >>> weights(["acme=2.5"])
    {'acme': 2.5}

    Raises:
        SettingsError: it is not of that form, or the number is not above 0.
    """
    found = {}
    for each in texts:
        tenant, _, number = each.partition("=")
        try:
            found[tenant] = float(number)
        except ValueError:
            found[tenant] = 0.0
        if not tenant or not 0 < found[tenant] < math.inf:
            raise SettingsError(f"--weight {each!r} is not TENANT=NUMBER with a number above 0, such as acme=2")
    return found


def _end(_number: int, _frame: object) -> None:
    sys.exit(0)


@contextlib.contextmanager
def _listening(options: Options) -> Iterator[socket.socket]:
    """The listening socket, before anything costly: a busy port is told at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        message = f"cannot listen on {options.host}:{options.port}: {error.strerror or error}; give another with --host or --port"
        raise SettingsError(message) from error
    with listener:
        logging.getLogger(__name__).info("webhooks at http://%s:%d/hooks/<source>", options.host, listener.getsockname()[1])
        yield listener
