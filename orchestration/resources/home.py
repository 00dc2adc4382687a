"""What lies where in an installation: one folder, `FLEXORAA_HOME`, and every path below it.

Here belong names of places. Not here: which home it is and what else is set (`orchestration.resources.settings`), nor opening any of it.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """One installation's folder."""

    home: Path

    @property
    def inbox(self) -> Path:
        """Raw segments that anybody may drop in."""
        return self.home / "inbox"

    @property
    def lake(self) -> Path:
        """Canonical events as Parquet."""
        return self.home / "lake"

    @property
    def reference(self) -> Path:
        """Dated reference rows as Parquet."""
        return self.home / "reference"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def duckdb_spill(self) -> Path:
        """What DuckDB does not hold in memory while it builds."""
        return self.home / "duckdb-spill"

    @property
    def models(self) -> Path:
        """Fitted models: those of leads by tenant and version, and those that read messages."""
        return self.home / "models"

    @property
    def spark_warehouse(self) -> Path:
        """Tables of the engine spark, and its temporary files."""
        return self.home / "spark-warehouse"

    @property
    def state(self) -> Path:
        """The embedded PostgreSQL and who uses it."""
        return self.home / "state"

    @property
    def secrets(self) -> Path:
        """The master key, where the environment gives none."""
        return self.home / "secrets"

    @property
    def master_key_file(self) -> Path:
        """The master key, where the environment gives none."""
        return self.secrets / "master.key"

    @property
    def google_keys(self) -> Path:
        """Google's public keys, as last fetched."""
        return self.home / "google_keys.json"

    @property
    def logs(self) -> Path:
        """Logs of the commands and of PostgreSQL."""
        return self.home / "logs"

    @property
    def dagster(self) -> Path:
        """Dagster's own folder (its storage is in PostgreSQL)."""
        return self.home / "dagster"

    @property
    def reports(self) -> Path:
        """Pages for people."""
        return self.home / "reports"

    @property
    def dbt_target(self) -> Path:
        """The manifest of dbt, compiled SQL and logs."""
        return self.home / "dbt_target"
