"""`flexoraa run --known-at`: what was received later is not there. The marts' side of it is in tests/dbt/test_sla.py."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.events import ContactEvent, Message
from orchestration.resources.lake import FolderLake
from tests.orchestration.lakes import AT, row, segment_id, values_of


@pytest.mark.parametrize(("after", "links", "points"), [(-1, 0, {"a"}), (0, 1, {"a", "b"}), (1, 1, {"a", "b"})])
def test_identity_knows_what_was_received_by_then_to_the_microsecond(tmp_path: Path, after: int, links: int, points: set[str]) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.prepare()
    received_at = AT + timedelta(days=2)
    said = row(Message, tenant_id="t", event_id="1", segment_id=segment_id(1), contact_point_id="a", received_at=AT)
    linked = row(
        ContactEvent, tenant_id="t", event_id="2", segment_id=segment_id(1), kind="linked", contact_point_id="a", other_point_id="b",
        received_at=received_at,
    )  # fmt: skip
    with lake.replace(segment_id(1)) as writer:
        writer.add(Message, values_of(Message, [said]))
        writer.add(ContactEvent, values_of(ContactEvent, [linked]))
    known = FolderLake(tmp_path / "lake", known_at=received_at + timedelta(microseconds=after))
    assert len(list(known.links(AT))) == links
    assert {each.point_id for each in known.sightings(AT)} == points
    assert len(list(lake.links(AT))) == 1
