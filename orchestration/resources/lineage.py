"""Of which columns each column of the warehouse is made: read once from the SQL that dbt compiles, and kept beside the manifest.

Here belongs reading it. dagster-dbt reads it after every model of every run, by a query of each parent's columns and a parse of each
column; here a run pays nothing. Not here: how Dagster shows it (`assets.lineage`).
"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from assets.project import LINEAGE, MANIFEST, PROJECT
from core.columns import columns
from core.events import EVENT_TYPES
from core.reference import BUILD_TYPES, REFERENCE_TYPES
from core.signals import MessageSignal
from orchestration.resources.dbt import DbtError, duckdb_variables, ensure_manifest, inherit_parse, places

Table: TypeAlias = tuple[str, str]
"""Schema and name."""

_DIALECT = "duckdb"


def ensure_lineage() -> None:
    """Compile the project and read the lineage of every model, where it was not read since the project changed. Safe among processes.

    Takes 10 s of processor time, of which dbt takes 9.

    Raises:
        DbtError: the project does not compile.
    """
    ensure_manifest()
    with (MANIFEST.parent / "lineage.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if LINEAGE.exists() and LINEAGE.stat().st_mtime >= MANIFEST.stat().st_mtime:
            return
        manifest = json.loads(MANIFEST.read_bytes())
        with tempfile.TemporaryDirectory(prefix="flexoraa-compile-") as folder:
            found = lineage(manifest, _compiled(manifest, Path(folder)))
        draft = LINEAGE.with_name(f".{LINEAGE.name}.{os.getpid()}")
        draft.write_text(json.dumps({"/".join(table): made for table, made in sorted(found.items())}, indent=0), encoding="utf-8")
        draft.replace(LINEAGE)


def _compiled(manifest: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The SQL of each model by its id, in DuckDB's dialect; no installation is asked."""
    inherit_parse(folder)
    program = str(Path(sys.executable).parent / "dbt")
    # without a warehouse to look into, incremental models compile as in their first build, which names the same columns
    command = [
        program,
        "--quiet",
        "--log-path",
        str(folder),
        "compile",
        "--no-introspect",
        "--select",
        "resource_type:model",
        *places(folder),
    ]
    environment = {**os.environ, **duckdb_variables(), "FLEXORAA_DBT_TARGET": "duckdb"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    if done.returncode != 0:
        raise DbtError(f"dbt cannot compile the project:\n{done.stdout.strip()}\n{done.stderr.strip()}")
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    return {
        key: (folder / "compiled" / node["package_name"] / node["original_file_path"]).read_text(encoding="utf-8")
        for key, node in models.items()
    }


def lineage(manifest: Mapping[str, Any], compiled: Mapping[str, str]) -> dict[Table, dict[str, list[tuple[str, str]]]]:
    """Of each model: its columns, and those of its direct parents that they are made of, as (`schema/table`, column).

    Columns that only choose or order rows (`where`, `join`, `partition by` of a row number that is filtered) are not among them.
    """
    nodes = {**manifest["nodes"], **manifest["sources"]}
    known = _source_columns(manifest)
    names = {node["name"]: _table(node) for node in nodes.values() if node["resource_type"] in {"model", "seed", "source"}}
    models = {_table(manifest["nodes"][key]): (key, sql) for key, sql in compiled.items()}
    found: dict[Table, dict[str, list[tuple[str, str]]]] = {}

    def visit(table: Table) -> None:
        if table not in models or table in found:
            return
        key, sql = models[table]
        found[table] = {}
        parents = [_table(nodes[parent]) for parent in manifest["nodes"][key]["depends_on"]["nodes"]]
        for parent in parents:
            visit(parent)
        found[table] = _of_model(sql, {parent: known[parent] for parent in parents}, names)
        known[table] = list(found[table])

    for table in models:
        visit(table)
    return found


def _of_model(sql: str, parents: Mapping[Table, Sequence[str]], names: Mapping[str, Table]) -> dict[str, list[tuple[str, str]]]:
    from sqlglot import exp, parse_one  # 0.2 s, where dbt does not import it anyway
    from sqlglot.lineage import lineage as trace
    from sqlglot.schema import MappingSchema

    tree = parse_one(sql, dialect=_DIALECT)
    for each in tree.find_all(exp.Table):
        if each.db:  # a view of what is touched has the columns of what it is a part of
            each.set("db", exp.to_identifier(names[each.name][0]))
            each.set("catalog", None)
    schema: dict[str, Any] = {}
    for (place, name), own in parents.items():
        schema.setdefault(place, {})[name] = dict.fromkeys(own, "text")
    found: dict[str, list[tuple[str, str]]] = {}
    for column, root in trace(None, tree, MappingSchema(schema, dialect=_DIALECT), dialect=_DIALECT, trim_selects=False).items():
        leaves = [(leaf.expression, leaf.name) for leaf in root.walk() if not leaf.downstream]
        found[column] = sorted(
            {(f"{table.db}/{table.name}", exp.to_column(name).name) for table, name in leaves if isinstance(table, exp.Table)}
        )
    return found


def _table(node: Mapping[str, Any]) -> Table:
    return node["schema"], node["name"]


def _source_columns(manifest: Mapping[str, Any]) -> dict[Table, Sequence[str]]:
    """What the SQL of the models begins with: tables of ours by their types, seeds by their first line."""
    types = (*EVENT_TYPES, *REFERENCE_TYPES, *BUILD_TYPES, MessageSignal)
    own = {str(each.table): [column.name for column in columns(each)] for each in types}  # type: ignore[attr-defined]  # a ClassVar
    known: dict[Table, Sequence[str]] = {_table(source): own[source["name"]] for source in manifest["sources"].values()}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            with (PROJECT / node["original_file_path"]).open(encoding="utf-8") as file:
                known[_table(node)] = file.readline().strip().split(",")
    return known
