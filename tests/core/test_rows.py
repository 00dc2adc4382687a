"""Events as lake rows: the same for the same event, nothing personal in the clear, the columns as they are promised."""

import base64
import json
import os
import typing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.columns import LAKE_COLUMNS, columns
from core.events import EVENT_TYPES, SCHEMA_VERSION, ContactEvent, Event, Message, MessageStatus, Point, Unmodelled
from core.reference import REFERENCE_TYPES
from core.rows import Origin, PointKey, TenantKeys, columns_of, hash_of, hide, micros, points_of
from core.sealing import SealError, unseal

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "columns.json"
AT = datetime(2026, 3, 1, 8, 0, 0, 1, tzinfo=UTC)
REF_KEY = bytes(range(32))
ORIGIN = Origin(micros(AT), hash_of(REF_KEY, b'{"body": 1}'))
TENANTS_OWN = bytes(range(1, 33))

# Values that would be recognised: long enough that no hash or ciphertext holds them by chance.
SECRETS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=30).map(lambda text: f"Secret {text}")
POINTS = st.builds(Point, st.sampled_from(typing.get_args(typing.get_type_hints(Point)["kind"])), SECRETS)


@st.composite
def events(draw: st.DrawFn, event_type: type[Event]) -> Event:
    """Any event of a type: its personal fields, ids and contacts are secrets, the others are not."""
    values: dict[str, Any] = {}
    for column in columns(event_type)[len(LAKE_COLUMNS) :]:
        strategy: st.SearchStrategy[Any] = {
            "point": POINTS,
            "personal": SECRETS,
            "sealed": SECRETS,
            "ref": SECRETS,
            "plain": {
                "text": st.just("plain"),
                "int": st.integers(-(2**63), 2**63 - 1),
                "float": st.floats(allow_nan=False),
                "bool": st.booleans(),
                "time": st.just(AT),
                "binary": st.just(b""),
                "date": st.just(AT.date()),
            }[column.type],
        }[column.role]
        values[column.field] = draw(st.none() | strategy if column.nullable else strategy)
    return event_type(**values)


def keys_of(event: Event) -> TenantKeys:
    points = {point: PointKey(f"cp_{n}", bytes([n + 1]) * 32) for n, point in enumerate(points_of(event))}
    return TenantKeys("tenant", REF_KEY, TENANTS_OWN, points)


def cells(event: Event, keys: TenantKeys, origin: Origin = ORIGIN) -> dict[str, Any]:
    return {name: column[0] for name, column in columns_of(type(event), [event], [origin], "segment", keys).items()}


ANY_EVENT = st.sampled_from(EVENT_TYPES).flatmap(events)


@settings(max_examples=150, deadline=None)
@given(ANY_EVENT)
def test_the_same_event_gives_the_same_row_and_no_cell_shows_what_is_personal(event: Event) -> None:
    keys = keys_of(event)
    row = cells(event, keys)
    assert row == cells(event, keys)
    assert list(row) == [each.name for each in columns(type(event))]
    shown = b"\0".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row.values())
    assert b"Secret" not in shown
    assert base64.b64encode(b"Secret") not in shown  # six bytes: base64 has no part of what follows
    for point in points_of(event):
        assert point.value.encode() not in shown


@settings(max_examples=150, deadline=None)
@given(ANY_EVENT)
def test_sealed_text_opens_with_the_key_of_its_contact_and_for_its_place_alone(event: Event) -> None:
    keys = keys_of(event)
    found = cells(event, keys)
    for column in columns(type(event)):
        if column.role == "point":
            value = getattr(event, column.field)
            assert found[column.name] == (None if value is None else keys.points[value].point_id)
        elif column.role == "ref":
            value = getattr(event, column.field)
            assert found[column.name] == (None if value is None else hide(REF_KEY, value))
        elif column.role in {"personal", "sealed"} and (value := getattr(event, column.field)) is not None:
            contact: Point | None = event.contact  # type: ignore[attr-defined]
            key = TENANTS_OWN if contact is None else keys.points[contact].key
            place = f"{hide(REF_KEY, event.event_id)}:{column.name}".encode()
            assert unseal(key, found[column.name], place) == value.encode()
            for wrong in ((bytes(32), place), (key, place + b"x"), (key, b""), (key, place.upper())):
                with pytest.raises(SealError):
                    unseal(wrong[0], found[column.name], wrong[1])
        elif column.role == "plain" and column.field:
            value = getattr(event, column.field)
            assert found[column.name] == (micros(value) if isinstance(value, datetime) else value)


def contact_event(**changes: Any) -> ContactEvent:
    given = {"source": "s", "account_id": "a", "event_id": "e", "occurred_at": AT, "kind": "linked", "contact": Point("phone", "+1")}
    return ContactEvent(**(given | changes))


def test_ids_are_hidden_the_same_for_one_tenant_and_otherwise_for_another() -> None:
    first = cells(contact_event(), keys_of(contact_event()))
    assert first["event_id"] == hide(REF_KEY, "e") != hide(bytes(32), "e")
    assert len(first["event_id"]) == 32
    assert cells(contact_event(event_id="f"), keys_of(contact_event()))["event_id"] != first["event_id"]


def test_equal_text_of_two_events_or_two_people_does_not_show_as_equal() -> None:
    named = [contact_event(name="Asha"), contact_event(name="Asha", event_id="f"), contact_event(name="Asha", contact=Point("phone", "+2"))]
    keys = TenantKeys(
        "tenant",
        REF_KEY,
        TENANTS_OWN,
        {Point("phone", "+1"): PointKey("cp_1", b"1" * 32), Point("phone", "+2"): PointKey("cp_2", b"2" * 32)},
    )
    assert len({cells(each, keys)["name_enc"] for each in named}) == 3


def test_a_row_says_where_it_came_from() -> None:
    event = contact_event()
    found = cells(event, keys_of(event))
    assert (found["tenant_id"], found["received_at"], found["segment_id"], found["schema_version"]) == (
        "tenant",
        micros(AT),
        "segment",
        1,
    )
    assert found["body_hash"] == ORIGIN.body_hash != hash_of(REF_KEY, b"other") != hash_of(bytes(32), b"other")


def test_an_event_without_a_contact_has_no_point() -> None:
    status = MessageStatus(source="s", account_id="a", event_id="e", occurred_at=AT, message_id="m", status="read")
    assert points_of(status) == []
    assert cells(status, keys_of(status))["contact_point_id"] is None


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(EVENT_TYPES).flatmap(lambda each: st.tuples(st.just(each), st.lists(events(each), min_size=1, max_size=5))))
def test_events_together_give_what_each_gives_alone(given: tuple[type[Event], list[Event]]) -> None:
    event_type, several = given
    points = {point: PointKey(f"cp_{point.value}", bytes(32)) for each in several for point in points_of(each)}
    keys = TenantKeys("tenant", REF_KEY, TENANTS_OWN, points)
    together = columns_of(event_type, several, [ORIGIN] * len(several), "segment", keys)
    assert together == {column.name: [cells(each, keys)[column.name] for each in several] for column in columns(event_type)}


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 — hypothesis adds the zone
def test_microseconds_since_1970_are_exact(moment: datetime) -> None:
    assert micros(moment) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_every_personal_field_has_a_contact_whose_key_seals_it() -> None:
    sealed = {each for each in EVENT_TYPES if any(column.role == "personal" for column in columns(each))}
    assert {Message, ContactEvent} <= sealed
    for each in sealed:
        assert [column.nullable for column in columns(each) if column.field == "contact"] == [False]


def test_what_may_name_nobody_is_under_the_tenants_key_only_where_it_does() -> None:
    for each in EVENT_TYPES:
        sealed = [column for column in columns(each) if column.role == "sealed"]
        if sealed:
            assert [column.nullable for column in columns(each) if column.field == "contact"] == [True]
    kept = {"source": "s", "account_id": "a", "event_id": "e", "occurred_at": AT, "kind": "new", "fragment": "{}"}
    somebodys, nobodys = Unmodelled(**kept, contact=Point("phone", "+1")), Unmodelled(**kept)
    place = f"{hide(REF_KEY, 'e')}:fragment_enc".encode()
    assert unseal(keys_of(somebodys).points[Point("phone", "+1")].key, cells(somebodys, keys_of(somebodys))["fragment_enc"], place) == b"{}"
    assert unseal(TENANTS_OWN, cells(nobodys, keys_of(nobodys))["fragment_enc"], place) == b"{}"
    with pytest.raises(SealError):
        unseal(TENANTS_OWN, cells(somebodys, keys_of(somebodys))["fragment_enc"], place)


def breaking(then: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> list[str]:
    """Changes of lake tables after which files of before can no longer be read with today's columns."""
    found = [f"the table {table} is gone" for table in then if table not in now]
    for table, before in then.items():
        after = now.get(table, before)
        found += [f"{table}.{name} is gone" for name in before if name not in after]
        found += [
            f"{table}.{name} is new and may not be empty" for name, kind in after.items() if name not in before and " null" not in kind
        ]
        for name in before.keys() & after.keys():
            if before[name] != after[name] and before[name] + " null" != after[name]:  # what may be empty now can hold what was never empty
                found.append(f"{table}.{name} was {before[name]} and is {after[name]}")
    return found


def test_columns_are_those_of_the_snapshot() -> None:
    """Regenerate with UPDATE_SNAPSHOTS=1 in the environment, and say in the commit why a column changed.

    A lake's files outlive the code: a change after which they cannot be read needs a new SCHEMA_VERSION.
    """
    found: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    for kind, types in (("lake", EVENT_TYPES), ("reference", REFERENCE_TYPES)):
        found[kind] = {
            each.table: {column.name: f"{column.type}{' null' if column.nullable else ''}" for column in columns(each)}  # type: ignore[attr-defined]
            for each in types
        }
    kept = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert found["schema_version"] >= kept["schema_version"]
    if found["schema_version"] == kept["schema_version"]:
        assert breaking(kept["lake"], found["lake"]) == [], "raise SCHEMA_VERSION in core/events.py: files of the lake cannot be read so"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        kept = found
    assert found == kept
    assert [list(table) for kind in ("lake", "reference") for table in found[kind].values()] == [
        list(table) for kind in ("lake", "reference") for table in kept[kind].values()
    ]


def test_only_a_new_column_that_may_be_empty_is_an_additive_change() -> None:
    then = {"messages": {"tenant_id": "text", "person_id": "text null"}}

    def now(**columns: str) -> list[str]:
        return breaking(then, {"messages": columns})

    same = {"tenant_id": "text", "person_id": "text null"}
    assert now(**same) == now(**same, mood="text null") == now(**same | {"tenant_id": "text null"}) == []
    assert breaking(then, {"messages": same, "moods": {"tenant_id": "text"}}) == []
    assert now(**same, mood="text") == ["messages.mood is new and may not be empty"]
    assert now(tenant_id="text") == ["messages.person_id is gone"]
    assert now(**same | {"person_id": "text"}) == ["messages.person_id was text null and is text"]
    assert now(**same | {"person_id": "int null"}) == ["messages.person_id was text null and is int null"]
    assert breaking(then, {}) == ["the table messages is gone"]
