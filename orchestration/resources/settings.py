"""What an installation is told from outside: where its home is, which database, which key.

Here belongs reading every environment variable of the project (dbt's own profile aside, whose variables begin with `FLEXORAA_DBT_`). Not
here: what a variable means in words (`variables`), what lies where (`home`), what tenants configure (`core.tenancy`), nor opening it.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.resources.home import Home
from orchestration.resources.master_key import MasterKeyError, begin_rotation, decode_key, file_key, old_of
from orchestration.resources.variables import VARIABLES

ENGINES = ("duckdb", "postgres", "spark")
"""Where the warehouse may be; the same models give the same rows on each."""

SETTINGS_FILE = "settings.env"
"""In the home: variables that hold for this installation, where the environment does not say otherwise."""

RESTORING = "restoring"
"""In the home: what a restore that has not ended left. Until it has, nobody is served."""

_PREFIX = "FLEXORAA_"
_DBT_PREFIX = "FLEXORAA_DBT_"


class SettingsError(Exception):
    """An environment variable or a key file that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Settings(Home):
    """One installation. `database_url` absent means the embedded PostgreSQL of the home.

    `lake_file_mb` is the size of merged files. A million rows were scanned from 4 files of 26 MB as quickly as from one of 105 MB (0.2 s;
    from 2,000 small ones 1.5 s), and to merge 32 MB takes 400 MB of memory, 64 MB takes 580 MB, 128 MB takes 1,200 MB.
    """

    engine: str = "duckdb"
    database_url: str | None = field(default=None, repr=False)  # it may hold a password
    whatsapp_url: str = "https://graph.facebook.com/v23.0"
    messenger_url: str = "https://graph.facebook.com/v23.0"
    instagram_url: str = "https://graph.instagram.com/v23.0"
    smtp_url: str = field(default="", repr=False)  # it may hold a password
    mail_from: str = "flexoraa@localhost"
    delivery_hands: int = 8
    google_keys_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    google_token_url: str = "https://oauth2.googleapis.com/token"
    gmail_url: str = "https://gmail.googleapis.com"
    gmail_poll_seconds: float = 300.0
    gmail_sync_days: float = 30.0
    razorpay_url: str = "https://api.razorpay.com/v1"
    calendly_url: str = "https://api.calendly.com"
    pull_per_second: float = 5.0
    pull_seconds: float = 300.0
    http_connect_seconds: float = 5.0
    http_read_seconds: float = 15.0
    spark_master: str = "local[2]"
    spark_memory: str = "2g"
    duckdb_memory: str = ""
    duckdb_threads: int = 0
    lake_file_mb: int = 32
    done_days: int = 30
    dagster_url: str = "http://127.0.0.1:3000"
    reports_url: str = "http://127.0.0.1:3001"
    audit_witness: Path | None = None
    signals: bool = True
    signals_url: str | None = None
    signals_tenants: tuple[str, ...] = ()
    signals_token: str | None = field(default=None, repr=False)
    erasure_log: Path | None = None
    operations_tenant: str | None = None  # whose people are told of failed runs
    dry_run: bool = False  # nothing is sent
    master_key_text: str | None = field(default=None, repr=False)
    old_master_key_text: str | None = field(default=None, repr=False)

    @classmethod
    def load(
        cls, home: Path | None = None, env: Mapping[str, str] | None = None, engine: str | None = None, *, is_restoring: bool = False
    ) -> "Settings":
        """Read the environment (or `env` in its place), and below it the home's own `settings.env`.

        `home` and `engine` given win over `FLEXORAA_HOME` and `FLEXORAA_ENGINE`; a variable of the environment wins over the same one of
        the file.

        Raises:
            SettingsError: a variable is unknown or holds what cannot be used, or a restore has not ended (`is_restoring`: it may).
        """
        env = os.environ if env is None else env
        home = (home or Path(env.get("FLEXORAA_HOME") or ".flexoraa")).expanduser().absolute()
        if (home / RESTORING).exists() and not is_restoring:
            raise SettingsError(f"a restore into {home} was begun and has not ended: run the same flexoraa restore again")
        env = {**_file(home / SETTINGS_FILE), **env}
        _refuse_unknown(env)
        engine = engine or env.get("FLEXORAA_ENGINE") or "duckdb"
        if engine not in ENGINES:
            raise SettingsError(f"FLEXORAA_ENGINE is {engine!r}; it is one of {', '.join(ENGINES)}")
        return cls(
            home=home,
            engine=engine,
            database_url=_database_url(env.get("DATABASE_URL") or None),
            whatsapp_url=_base_url(env, "FLEXORAA_WHATSAPP_URL", cls.whatsapp_url),
            messenger_url=_base_url(env, "FLEXORAA_MESSENGER_URL", cls.messenger_url),
            instagram_url=_base_url(env, "FLEXORAA_INSTAGRAM_URL", cls.instagram_url),
            smtp_url=_smtp_url(env),
            mail_from=_shaped(env, "FLEXORAA_MAIL_FROM", cls.mail_from, r"[^@\s]+@[^@\s]+", "alerts@example.com"),
            delivery_hands=_count(env, "FLEXORAA_DELIVERY_HANDS", cls.delivery_hands, 64, "threads"),
            google_keys_url=_base_url(env, "FLEXORAA_GOOGLE_KEYS_URL", cls.google_keys_url),
            google_token_url=_base_url(env, "FLEXORAA_GOOGLE_TOKEN_URL", cls.google_token_url),
            gmail_url=_base_url(env, "FLEXORAA_GMAIL_URL", cls.gmail_url),
            gmail_poll_seconds=_number(env, "FLEXORAA_GMAIL_POLL_SECONDS", cls.gmail_poll_seconds, 86_400),
            gmail_sync_days=_number(env, "FLEXORAA_GMAIL_SYNC_DAYS", cls.gmail_sync_days, 3_650),
            razorpay_url=_base_url(env, "FLEXORAA_RAZORPAY_URL", cls.razorpay_url),
            calendly_url=_base_url(env, "FLEXORAA_CALENDLY_URL", cls.calendly_url),
            pull_per_second=_number(env, "FLEXORAA_PULL_PER_SECOND", cls.pull_per_second, 1_000),
            pull_seconds=_number(env, "FLEXORAA_PULL_SECONDS", cls.pull_seconds, 3_600),
            http_connect_seconds=_seconds(env, "FLEXORAA_HTTP_CONNECT_SECONDS", cls.http_connect_seconds),
            http_read_seconds=_seconds(env, "FLEXORAA_HTTP_READ_SECONDS", cls.http_read_seconds),
            spark_master=_shaped(
                env, "FLEXORAA_SPARK_MASTER", cls.spark_master, r"local\[(\d+|\*)\]|spark://\S+:\d+", "local[2] or spark://host:7077"
            ),
            spark_memory=_shaped(env, "FLEXORAA_SPARK_MEMORY", cls.spark_memory, r"\d+[mg]", "2g or 1500m"),
            duckdb_memory=_shaped(env, "FLEXORAA_DUCKDB_MEMORY", _duckdb_memory(), r"\d+(MB|GB)", "4GB or 1500MB"),
            duckdb_threads=_threads(env, "FLEXORAA_DUCKDB_THREADS"),
            lake_file_mb=_count(env, "FLEXORAA_LAKE_FILE_MB", cls.lake_file_mb, 1024, "megabytes"),
            done_days=_count(env, "FLEXORAA_DONE_DAYS", cls.done_days, 3650, "days"),
            dagster_url=_base_url(env, "FLEXORAA_DAGSTER_URL", cls.dagster_url),
            reports_url=_base_url(env, "FLEXORAA_REPORTS_URL", cls.reports_url),
            signals=_shaped(env, "FLEXORAA_SIGNALS", "on", r"on|off", "on or off") == "on",
            signals_url=_base_url(env, "FLEXORAA_SIGNALS_URL", "") if env.get("FLEXORAA_SIGNALS_URL") else None,
            signals_tenants=tuple(sorted(each.strip() for each in env.get("FLEXORAA_SIGNALS_TENANTS", "").split(",") if each.strip())),
            signals_token=env.get("FLEXORAA_SIGNALS_TOKEN") or None,
            audit_witness=_path(env, "FLEXORAA_AUDIT_WITNESS"),
            erasure_log=_path(env, "FLEXORAA_ERASURE_LOG"),
            operations_tenant=env.get("FLEXORAA_OPERATIONS_TENANT") or None,
            dry_run=_shaped(env, "FLEXORAA_DRY_RUN", "no", "yes|no", "yes or no") == "yes",
            master_key_text=env.get("FLEXORAA_MASTER_KEY") or None,
            old_master_key_text=env.get("FLEXORAA_OLD_MASTER_KEY") or None,
        )

    def rotated_keys(self, watch: Callable[[str], None] = lambda step: None) -> tuple[bytes, bytes]:
        """The master key until now and the one from now on; a file's is made anew, that of the environment was set there by somebody.

        Raises:
            SettingsError: the environment gives the new key and not the old one, or one of them is none.
        """
        try:
            if self.master_key_text is None:
                return begin_rotation(self.master_key_file, watch)
            if self.old_master_key_text is None:
                message = "the master key is in the environment: put the new one there, and the old one into FLEXORAA_OLD_MASTER_KEY"
                raise SettingsError(message)
            return decode_key(self.old_master_key_text, "FLEXORAA_OLD_MASTER_KEY"), decode_key(self.master_key_text, "FLEXORAA_MASTER_KEY")
        except MasterKeyError as error:
            raise SettingsError(str(error)) from error

    def make_folders(self) -> None:
        """Create the home and its folders, the home for its owner alone; those that exist stay as they are."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # each by itself: as root, the database's user must be let through the home, to its own folder and no other
        for folder in (self.inbox, self.lake, self.reference, self.dagster, self.reports, self.dbt_target):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        if self.database_url is None:
            self.state.mkdir(exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)

    def keep_engine(self) -> None:
        """Write the engine into the home's own settings, so that every later command finds the same warehouse."""
        path = self.home / SETTINGS_FILE
        line = f"FLEXORAA_ENGINE={self.engine}"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        others = [each for each in lines if each.partition("=")[0].strip() != "FLEXORAA_ENGINE"]
        if line not in lines:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text("\n".join([*others, line]) + "\n", encoding="utf-8")

    def keeps_master_key(self) -> bool:
        """Whether the master key lies in the home's own settings, where whatever copies the home finds it."""
        return bool(_file(self.home / SETTINGS_FILE).get("FLEXORAA_MASTER_KEY"))

    def master_key(self) -> bytes:
        """The 32 bytes under which all keys are wrapped: from the environment, else from a file that is made once.

        Raises:
            SettingsError: it is not 32 bytes in base64, other users may read the file, or its rotation has not ended.
        """
        if self.old_master_key_text is not None or (self.master_key_text is None and old_of(self.master_key_file).exists()):
            raise SettingsError("a rotation of the master key was begun and has not ended: run flexoraa key rotate")
        try:
            if self.master_key_text is not None:
                return decode_key(self.master_key_text, "FLEXORAA_MASTER_KEY")
            return file_key(self.master_key_file)
        except MasterKeyError as error:
            raise SettingsError(str(error)) from error


def _file(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a home's own settings; empty lines and those that begin with # are passed over."""
    if not path.exists():
        return {}
    settings = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, equals, value = line.partition("=")
        if line.strip() and not line.startswith("#"):
            if not equals or name.strip() not in VARIABLES or name.strip() == "FLEXORAA_HOME":
                allowed = ", ".join(each for each in VARIABLES if each != "FLEXORAA_HOME")
                raise SettingsError(f"{path}:{number}: not NAME=value with one of {allowed}")
            settings[name.strip()] = value.strip()
    return settings


def _refuse_unknown(env: Mapping[str, str]) -> None:
    for name in sorted(env):
        if name.startswith(_PREFIX) and not name.startswith(_DBT_PREFIX) and name not in VARIABLES:
            nearest = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.0)[0]
            message = f"{name} is no setting of this version; did you mean {nearest}? (all: {', '.join(VARIABLES)}, DATABASE_URL)"
            raise SettingsError(message)


def _database_url(text: str | None) -> str | None:
    if text is None:
        return None
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"}:
        message = "DATABASE_URL must begin with postgresql:// (its value is not shown: it may hold a password)"
        raise SettingsError(message)
    return f"postgresql://{rest}"


def _base_url(env: Mapping[str, str], name: str, default: str) -> str:
    url = env.get(name) or default
    if not url.startswith(("http://", "https://")):
        message = f"{name} must begin with http:// or https://, not {url!r}"
        raise SettingsError(message)
    return url.rstrip("/")


def _shaped(env: Mapping[str, str], name: str, default: str, pattern: str, example: str) -> str:
    text = env.get(name) or default
    if not re.fullmatch(pattern, text):
        raise SettingsError(f"{name} must look like {example}, not {text!r}")
    return text


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]).expanduser().absolute() if env.get(name) else None


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    return _number(env, name, default, 600)


def _number(env: Mapping[str, str], name: str, default: float, most: float) -> float:
    """A number above 0; the last part of the name says of what."""
    text = env.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        unit = {"SECONDS": "a number of seconds", "DAYS": "a number of days", "SECOND": "a number of requests a second"}
        message = f"{name} must be {unit[name.rpartition('_')[2]]} above 0 and up to {most:g}, not {text!r}"
        raise SettingsError(message)
    return number


def _duckdb_memory() -> str:
    """4 GB, or half of a smaller machine's memory; what a build needs besides, it spills to the home."""
    return f"{min(4096, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // (2 << 20))}MB"


def _threads(env: Mapping[str, str], name: str) -> int:
    return _count(env, name, os.cpu_count() or 1, 256, "threads")


def _count(env: Mapping[str, str], name: str, default: int, most: int, what: str) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        message = f"{name} must be a whole number of {what} from 1 to {most}, not {text!r}"
        raise SettingsError(message)
    return int(text)


def _smtp_url(env: Mapping[str, str]) -> str:
    url = env.get("FLEXORAA_SMTP_URL") or ""
    if url and not url.startswith(("smtp://", "smtps://", "smtp+starttls://")):
        message = "FLEXORAA_SMTP_URL must begin with smtp://, smtps:// or smtp+starttls:// (its value is not shown: it may hold a password)"
        raise SettingsError(message)
    return url
