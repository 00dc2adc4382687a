"""Which engine an installation has: its warehouse, and what must be installed for it.

Here belongs that choice, made in one place. Not here: any engine (`warehouse`, `warehouse_postgres`, `warehouse_spark`).
"""

from typing import TYPE_CHECKING

from orchestration.resources.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestration.resources.warehouse import EngineWarehouse


def warehouse_of(settings: Settings, state_url: str) -> "EngineWarehouse":
    """The warehouse of an installation whose state is at that address; nothing is opened yet."""
    if settings.engine == "postgres":
        from orchestration.resources.warehouse_postgres import PostgresWarehouse

        return PostgresWarehouse(state_url, settings.lake, settings.reference)
    if settings.engine == "spark":
        from orchestration.resources.spark_place import SparkPlace
        from orchestration.resources.warehouse_spark import SparkWarehouse

        return SparkWarehouse(SparkPlace.of(settings))
    from orchestration.resources.warehouse import Warehouse

    return Warehouse(settings.warehouse, settings.lake, settings.reference)


def ask(settings: Settings, statement: str) -> "pa.Table":
    """The answer of the installation's warehouse to one query; the state is opened only for the engine that lives beside it.

    Raises:
        WarehouseError: there is none yet, or the statement is no query of it.
    """
    if settings.engine != "postgres":
        return warehouse_of(settings, "").query(statement)
    from orchestration.resources.state import open_state

    with open_state(settings) as state:
        return warehouse_of(settings, state.libpq_url).query(statement)


def require(settings: Settings) -> None:
    """Refuse an engine that this machine lacks something for.

    Raises:
        SettingsError: says what to install.
    """
    if settings.engine == "spark":
        from orchestration.resources.warehouse_spark import require_spark

        require_spark()
