"""What reports read, over the warehouse of any engine and the state's own tables; nothing can be changed through it.

Here belongs asking. Not here: the questions (`assets.pages`), what is made of the answers (`ml.reports`).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import duckdb
import psycopg

from core.reading import Read
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.warehouse import EngineWarehouse, WarehouseBusyError, WarehouseError

_MARTS = re.compile(r"\bmarts\.(\w+)")


class InstallationReadings:
    """The port `core.reading.Readings` of one installation."""

    def __init__(self, settings: Settings, state: State, warehouse: EngineWarehouse) -> None:
        """Take where to read; nothing is opened yet."""
        self._settings, self._state, self._warehouse = settings, state, warehouse

    def marts(self, questions: Mapping[str, str]) -> Mapping[str, Read]:
        """Each by itself: a mart that is not there takes only the questions that ask it."""
        named = {mart for question in questions.values() for mart in _MARTS.findall(question)}
        try:
            with self._warehouse.asking(named) as connection:
                return {name: _answer(connection, question) for name, question in questions.items()}
        except WarehouseBusyError:
            raise
        except WarehouseError as error:
            return {name: Read(missing=f"{error}.") for name in questions}

    def state(self, questions: Mapping[str, str]) -> Mapping[str, Read]:
        """As the platform's role, read-only, at one moment."""
        answers = {}
        with self._state.psycopg() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            for name, question in questions.items():
                try:
                    with connection.transaction(), connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
                        answers[name] = Read(_plain(cursor.execute(question.encode()).fetchall()))
                except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                    answers[name] = Read(missing=f"{error.diag.message_primary}.")
        return answers

    def dagster_url(self) -> str:
        """Of the settings."""
        return self._settings.dagster_url

    def reports_url(self) -> str:
        """Of the settings."""
        return self._settings.reports_url


def _answer(connection: duckdb.DuckDBPyConnection, question: str) -> Read:
    try:
        rows: list[dict[str, Any]] = connection.sql(question).to_arrow_table().to_pylist()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        first = str(error).split("\n", maxsplit=1)[0].split(": ", 1)[-1].rstrip("!")
        return Read(missing=f"{first}.")
    return Read(_plain(rows))


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Engines sum whole numbers to decimals; for a reader they are whole numbers again."""
    for row in rows:
        for name, value in row.items():
            if type(value) is Decimal:
                row[name] = _number(value)
    return rows


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
