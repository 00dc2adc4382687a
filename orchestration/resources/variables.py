"""Every variable of the environment that an installation knows, what it means, and an example: `docs/configuration.md` shows this table.

Here belong words. Not here: reading and refusing (`orchestration.resources.settings`), where the defaults are too.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Variable(NamedTuple):
    """`meaning` is a sentence with its unit, `example` is taken or how a shell gives one, `default` is in words."""

    meaning: str
    example: str
    default: str = ""


TABLE: Mapping[str, Variable] = {
    "FLEXORAA_HOME": Variable("Folder of the installation; one folder is one installation.", "/srv/flexoraa", "`.flexoraa`"),
    "FLEXORAA_ENGINE": Variable("Where the warehouse is: `duckdb`, `postgres` or `spark`; the same rows on each.", "postgres"),
    "FLEXORAA_MASTER_KEY": Variable(
        "32 bytes in base64, under which all keys are wrapped.",
        "$(openssl rand -base64 32)",
        "`secrets/master.key` in the home, made once",
    ),
    "FLEXORAA_OLD_MASTER_KEY": Variable(
        "The master key until now, for `flexoraa key rotate` alone and only where the environment has the key.",
        "$(cat old-master.key)",
    ),
    "FLEXORAA_WHATSAPP_URL": Variable("Where WhatsApp messages are sent: Meta's Graph API with its version.", "http://127.0.0.1:9000"),
    "FLEXORAA_MESSENGER_URL": Variable("Where Messenger's messages are sent: Meta's Graph API with its version.", "http://127.0.0.1:9000"),
    "FLEXORAA_INSTAGRAM_URL": Variable("Where Instagram's messages are sent: its own Graph API with its version.", "http://127.0.0.1:9000"),
    "FLEXORAA_SMTP_URL": Variable(
        "The server by which alerts to `mailto:` destinations go out: `smtp://`, `smtp+starttls://` or `smtps://`; may hold a password.",
        "smtp+starttls://user:password@mail.example.com:587",
        "none: such alerts are rejected",
    ),
    "FLEXORAA_MAIL_FROM": Variable("The sender's address of those mails.", "alerts@example.com"),
    "FLEXORAA_DELIVERY_HANDS": Variable(
        "Threads of one delivery run: how many actions it tries at once, and at most leaves in doubt if it dies; 1 to 64.", "16"
    ),
    "FLEXORAA_GOOGLE_KEYS_URL": Variable("Where Google's public keys are, by which pushes are verified.", "http://127.0.0.1:9000/certs"),
    "FLEXORAA_GOOGLE_TOKEN_URL": Variable("Where Google's access tokens are made.", "http://127.0.0.1:9000/token"),
    "FLEXORAA_GMAIL_URL": Variable("The Gmail API, for fetching and sending.", "http://127.0.0.1:9000"),
    "FLEXORAA_GMAIL_POLL_SECONDS": Variable("How often a mailbox is looked at, in seconds; a push brings the look forward.", "60"),
    "FLEXORAA_GMAIL_SYNC_DAYS": Variable("How far back a mailbox is listed where its history is too old, in days.", "90"),
    "FLEXORAA_RAZORPAY_URL": Variable("The Razorpay API, for payment links and for the past.", "http://127.0.0.1:9000/v1"),
    "FLEXORAA_CALENDLY_URL": Variable("The Calendly API, for scheduling links and for the past.", "http://127.0.0.1:9000"),
    "FLEXORAA_PULL_PER_SECOND": Variable("Pace of fetching: requests a second to one account.", "2.5"),
    "FLEXORAA_PULL_SECONDS": Variable("How long one request of fetching is tried, with its repeats, in seconds.", "60"),
    "FLEXORAA_HTTP_CONNECT_SECONDS": Variable("How long connecting to a vendor may take, in seconds.", "2"),
    "FLEXORAA_HTTP_READ_SECONDS": Variable("How long writing to a vendor, and each part of its answer, may take, in seconds.", "30"),
    "FLEXORAA_SPARK_MASTER": Variable("Where Spark runs: in this process with that many threads, or on a cluster.", "spark://host:7077"),
    "FLEXORAA_SPARK_MEMORY": Variable("Memory of Spark's driver, in `m` or `g` bytes.", "1500m"),
    "FLEXORAA_DUCKDB_MEMORY": Variable(
        "Memory of DuckDB while it builds, in `MB` or `GB`; what it needs besides it spills to the home.",
        "2GB",
        "4096 MB, or half of a smaller machine's",
    ),
    "FLEXORAA_DUCKDB_THREADS": Variable("Threads of DuckDB while it builds, 1 to 256.", "3", "one a core"),
    "FLEXORAA_LAKE_FILE_MB": Variable("Size of the lake's merged files, in MB, 1 to 1024: 64 take 580 MB of memory to merge.", "64"),
    "FLEXORAA_DONE_DAYS": Variable("How long raw segments are kept after they were taken in, in days, 1 to 3650.", "90"),
    "FLEXORAA_SIGNALS": Variable("Whether messages are read at all (intent, budget, timeline, …): `on` or `off`.", "off", "`on`"),
    "FLEXORAA_SIGNALS_URL": Variable(
        "A language model that reads messages in place of the shipped models, for the tenants named next.",
        "http://127.0.0.1:9000/read",
        "none: the shipped models",
    ),
    "FLEXORAA_SIGNALS_TENANTS": Variable("Tenants, with commas, whose messages may go out to it.", "rheinsolar,dunes_motors", "nobody"),
    "FLEXORAA_SIGNALS_TOKEN": Variable("The bearer token by which it knows us.", "a-long-random-text"),
    "FLEXORAA_DAGSTER_URL": Variable("Where pages link to Dagster's UI; `flexoraa up` sets it to its own.", "https://dagster.example.com"),
    "FLEXORAA_REPORTS_URL": Variable(
        "Where Dagster links to report pages; `flexoraa up` sets it to its own.", "https://reports.example.com"
    ),
    "FLEXORAA_AUDIT_WITNESS": Variable(
        "A file outside the home to which each day's roots of the audit log are appended.", "/mnt/elsewhere/witness.ndjson", "none"
    ),
    "FLEXORAA_ERASURE_LOG": Variable(
        "A file in which it is noted who was erased, best on another machine's disk.",
        "/mnt/elsewhere/erasures.ndjson",
        "`erasures.ndjson` in the home",
    ),
    "FLEXORAA_OPERATIONS_TENANT": Variable("The tenant whose people are told of failed runs.", "rheinsolar", "nobody is told"),
    "FLEXORAA_DRY_RUN": Variable("`yes`: nothing is sent, and what is due is gated and stays requested.", "yes", "`no`"),
    "DATABASE_URL": Variable(
        "A PostgreSQL ≥ 15 in place of the embedded one; may hold a password.",
        "postgresql://flexoraa@db.example.com:5432/flexoraa",
        "the embedded one, in the home",
    ),
}

VARIABLES = tuple(name for name in TABLE if name.startswith("FLEXORAA_"))
"""Every variable that begins with `FLEXORAA_`; `DATABASE_URL` is the one besides."""
