"""An access request is answered with all that is held, complete against an inventory made in another way; retention and holds."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from core.privacy import PrivacyError
from orchestration.privacy_export import export
from orchestration.resources.retained import Retained
from orchestration.resources.retention import Hold, PostgresRetention, Rule
from tests.orchestration.privacy_world import END, MANAGER, OPERATOR, World


def _inventory(made: World, tenant_id: str, points: list[str]) -> dict[str, int]:
    """Rows that name one of the points in whatever column, counted over the files, whatever the code calls its columns."""
    found = {}
    with duckdb.connect() as database:
        for folder in sorted(path for path in made.settings.lake.iterdir() if path.is_dir() and path.name[0] != "."):
            rows = f"read_parquet('{folder}/*/*.parquet', hive_partitioning = false, union_by_name = true)"
            table = database.sql(f"select * from {rows}").fetchall()
            count = sum(tenant_id in row and not set(points).isdisjoint(value for value in row if isinstance(value, str)) for row in table)
            if count:
                found[f"lake.{folder.name}"] = count
    return found


def test_the_export_is_complete_and_its_hashes_hold(people: World, tmp_path: Path) -> None:
    lead = people.somebody()
    tenant_id, points = people.leads[lead]
    value = people.values(lead)[0]
    request = people.approved(lead, "access")
    out = tmp_path / "her.zip"
    with pytest.raises(PrivacyError, match="approved"):
        export(people.office, people.execution, request, MANAGER, out)
    with pytest.raises(PrivacyError, match="choose another"):
        export(people.office, people.execution, request, OPERATOR, people.settings.home / "her.zip")
    assert not list(tmp_path.iterdir())
    answer = export(people.office, people.execution, request, OPERATOR, out)
    assert answer["state"] == "closed"
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        told = json.loads(archive.read("inventory.json"))
        assert {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist() if name != "inventory.json"} == {
            name: each["sha256"] for name, each in told["files"].items()
        }
        lake = {name: count for name, count in told["tables"].items() if name.startswith("lake.")}
        assert lake == _inventory(people, tenant_id, sorted(set(points)))
        assert json.loads(archive.read("json/contact_points.json"))[0]["value"] == value.value
        texts = [row["text"] for row in json.loads(archive.read("json/lake.messages.json"))]
        assert any(texts)
        for name, count in told["tables"].items():
            assert len(json.loads(archive.read(f"json/{name}.json"))) == count
            assert len(list(csv.DictReader(io.StringIO(archive.read(f"csv/{name}.csv").decode())))) == count
    with pytest.raises(PrivacyError, match="closed"):
        export(people.office, people.execution, people.office.find(request.request_id), OPERATOR, tmp_path / "again.zip")
    assert people.office.certificate(request.request_id).hits == 0


def test_words_go_when_their_time_is_over_but_those_under_a_hold_stay_and_no_row_goes(people: World) -> None:
    old = {point for _, point, at, words in _words(people) if at < END - timedelta(days=3) and words}
    held = next(lead for lead in iter(people.somebody, None) if old & set(people.leads[lead][1]))
    tenant_id = people.leads[held][0]
    retention = PostgresRetention(people.state, people.vault)
    retained = Retained(people.state, people.platform.lake, people.settings.reference, retention)
    retention.set(Rule(tenant_id, "lake.messages", 3, MANAGER, END))
    hold = Hold("hold_words", tenant_id, held, MANAGER, END)
    retention.hold(hold, "a court asks")
    before = _words(people)
    assert retained.is_any_held()
    wiped = retained.apply(END)[f"{tenant_id} lake.messages"]
    after = _words(people)
    assert wiped > 0
    assert [row[:3] for row in after] == [row[:3] for row in before]
    edge = END - timedelta(days=3)
    for (_, point, at, was), (_, _, _, now) in zip(before, after, strict=True):
        is_kept = at >= edge or point in people.leads[held][1]
        assert now == (was if is_kept else None)
    assert retained.apply(END) == {f"{tenant_id} lake.messages": 0}
    retention.hold(hold._replace(hold_id="hold_words_end"), "over", releases="hold_words")
    assert retained.apply(END)[f"{tenant_id} lake.messages"] > 0
    retention.set(Rule(tenant_id, "lake.messages", None, MANAGER, END))
    assert retained.apply(END) == {}


def _words(made: World) -> list[tuple[str, str, object, bytes | None]]:
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        rows = f"read_parquet('{made.settings.lake}/messages/*/*.parquet', hive_partitioning = false)"
        return database.execute(f"select event_id, contact_point_id, occurred_at, text_enc from {rows} order by all").fetchall()
