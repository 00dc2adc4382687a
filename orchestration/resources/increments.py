"""Whether a build of the warehouse makes everything anew or continues the last one, and from which keys on.

Here belongs that decision, and its order: what a build sees and touches is kept before it writes its first table, and only once it wrote
all of them the warehouse is told that it is of this build. So a build that is killed anywhere leaves the last whole one as the base, and
the next build touches again what the killed one did. When in doubt, everything is made anew. Not here: finding keys (`touched`), SQL
(`dbt_project/macros/increments.sql`).
"""

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from assets.project import MANIFEST
from core.columns import columns
from core.reference import Build, TouchedKey
from core.warehouse_ports import Begun
from orchestration.resources.arrow import schema_of, table_of
from orchestration.resources.build_memory import TOUCHED, TWINS, UNTESTED, BuildMemory, Seen, code_of_models, live_files, looks, stem_of
from orchestration.resources.lake_files import LakeFile, LakeFiles
from orchestration.resources.signal_files import fingerprint_of_signals
from orchestration.resources.touched import Touched, is_plain_growth, literal

Ask = Callable[[str], Sequence[tuple[Any, ...]]]
"""A query of the warehouse as it is, answered in rows."""

KEYS = {"point": "contact_point_id", "lead": "lead_id", "message": "message_id", "event": "event_id"}
"""The column that holds the key of a scope."""


class Increments:
    """Increments of one warehouse over the folders of lake and reference."""

    def __init__(self, lake: LakeFiles, reference: Path) -> None:
        """Take the folders."""
        self._lake, self._reference = lake, reference
        self._memory = BuildMemory(reference / "builds")

    def begin(self, last: str | None, ask: Ask, *, rebuild: bool, brief: bool = False, days: Collection[date] = ()) -> Begun:
        """Decide, and write `reference.build` and `reference.touched`.

        Args:
            last: the build that the warehouse's tables are of.
            ask: reads the warehouse as it is; asked only if the build continues the last one.
            rebuild: whether everything is to be made anew, whatever was seen.
            brief: whether tests may wait; what they did not look at is touched once more by the next build that is not brief.
            days: event dates, in UTC, whose events count as new.
        """
        run = pq.read_table(self._reference / "run.parquet").to_pylist()[0]
        as_of: datetime = run["as_of"]
        files = live_files(self._lake)
        before = self._memory.seen(last)
        base = "" if before is None else before.build_id
        begun_since = list(self._memory.others(base))
        stems = self._lake.merged_stems() | {stem_of(file) for each in files.values() for file in each if not file.is_merged}
        code = code_of_models() + fingerprint_of_signals(self._reference)
        now = Seen(uuid.uuid4().hex, as_of, code, looks(files), frozenset(stems), base or None, run["known_at"] is None)
        why = "asked for" if rebuild else _why_anew(before, begun_since, now, files)
        if why or before is None:
            now = msgspec.structs.replace(now, base=None)
        place = self._memory.begin(now, self._reference)
        untested = [] if why or before is None else _there(self._memory.place(before.build_id) / UNTESTED)
        is_brief = brief and not why
        touched = Touched(files, place / "tmp")
        try:
            if why or before is None:
                touched.all_twins()
            else:
                memory = self._memory.place(before.build_id)
                touched.since(before, memory, self._reference, as_of, days)
                for scope, statement in _due(before.as_of, as_of):
                    touched.add(scope, [(row[0], row[1]) for row in ask(statement)])
                others = [self._memory.place(other.build_id) for other in begun_since if other is not None]
                for path in [folder / TOUCHED for folder in others] + ([] if is_brief else untested):
                    touched.add_file(path)
                touched.close_over([folder / "lead_points.parquet" for folder in (memory, self._reference, *others)])
            counts = touched.write(place / TOUCHED, place / TWINS)
        finally:
            touched.close()
        if is_brief:
            _unite([place / TOUCHED, *untested], place / UNTESTED)
        is_steady = now.base is not None and before is not None and before.base is not None
        previous = before.as_of if now.base is not None and before is not None else None
        self._tell(Build(build_id=now.build_id, is_steady=is_steady, previous_as_of=previous))
        return Begun(now.build_id, as_of, why, counts, _new_days(before, files), is_brief, is_steady)

    def end(self, begun: Begun) -> None:
        """Forget the builds before it; the warehouse says by now that it is of this one."""
        self._memory.keep_only(begun.build_id)

    def _tell(self, build: Build) -> None:
        """The two tables that models' macros read."""
        told = table_of(Build, {column.name: [getattr(build, column.field)] for column in columns(Build)})
        touched = pq.read_table(self._memory.place(build.build_id) / TOUCHED).select(schema_of(TouchedKey).names)
        for name, table in ((Build.table, told), (TouchedKey.table, touched.cast(schema_of(TouchedKey)))):
            draft = self._reference / f".{name}.parquet"
            pq.write_table(table, draft)
            draft.replace(self._reference / f"{name}.parquet")


def _why_anew(before: Seen | None, begun_since: Sequence[Seen | None], now: Seen, files: Mapping[str, Sequence[LakeFile]]) -> str:
    """Why everything must be made anew; empty where the last build can be continued."""
    if before is None:
        return "there is no build to continue"
    if before.code != now.code:
        return "models, seeds or columns changed, or what reads messages"
    if not (now.is_all and before.is_all):
        return "only what was known at a moment is asked for, or was asked for last"
    if now.as_of < before.as_of:
        return "its moment lies before that of the last build"
    if any(other is None or other.base != before.build_id for other in begun_since):
        return "a build that made everything anew did not end"
    return is_plain_growth(before, files)


def _there(path: Path) -> list[Path]:
    return [path] if path.exists() else []


def _unite(paths: Sequence[Path], path: Path) -> None:
    """Rows of all of them, each once."""
    whole = pa.concat_tables([pq.read_table(each) for each in paths])
    pq.write_table(whole.group_by(whole.column_names).aggregate([]), path)


def scopes() -> dict[str, dict[str, Any]]:
    """What models say of their increments in `meta`, by `schema.name`: `scope`, `changes_at`, `changes_when`."""
    nodes = json.loads(MANIFEST.read_bytes())["nodes"].values()
    return {
        f"{node['schema']}.{node['name']}": node["config"]["meta"]
        for node in nodes
        if node["resource_type"] == "model" and "scope" in node["config"].get("meta", {})
    }


def _due(since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
    """A query for each model that says when its rows change by time alone: keys of rows that did since the last build."""
    for name, meta in sorted(scopes().items()):
        conditions = [f"({column} > {literal(since)} and {column} <= {literal(until)})" for column in meta.get("changes_at", ())]
        conditions += [f"({meta['changes_when']})"] if "changes_when" in meta else []
        if conditions:
            key = KEYS[meta["scope"]]
            yield meta["scope"], f"select distinct tenant_id, {key} from {name} where {key} is not null and ({' or '.join(conditions)})"


def _new_days(before: Seen | None, files: Mapping[str, Sequence[LakeFile]]) -> list[date]:
    known = {} if before is None else before.files
    return sorted(
        {file.day for table, each in files.items() for file in each if not file.is_merged and file.name not in known.get(table, {})}
    )
