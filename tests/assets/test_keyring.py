"""Keys of contacts are asked of the vault once, and remembered for a while whoever else is asked for."""

from collections.abc import Collection, Iterator, Mapping

import pytest

from assets import block
from assets.block import Keyring
from core.events import Point, Reject
from core.rows import PointKey
from orchestration.resources.vault import Vault
from tests.assets.rooms import Room


class Asked:
    """The vault, and what was asked of it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.points_asked: list[set[Point]] = []

    def points(self, tenant_id: str, points: Collection[Point]) -> Mapping[Point, PointKey]:
        self.points_asked.append(set(points))
        return self._vault.points(tenant_id, points)


def phones(*numbers: int) -> set[Point]:
    return {Point("phone", f"+9198123{each:05}") for each in numbers}


@pytest.fixture
def asked(room: Room) -> Iterator[Asked]:
    yield Asked(room.platform.vault)


def test_a_contact_is_asked_for_once_by_tenant_and_what_is_none_is_refused_each_time(asked: Asked) -> None:
    keyring = Keyring(asked)  # type: ignore[arg-type]
    bad = Point("email", "nobody")
    first = dict(keyring.of("one", "IN", phones(1, 2) | {bad}))
    again = keyring.of("one", "IN", phones(2, 3) | {bad})
    assert asked.points_asked == [phones(1, 2), phones(3)]
    assert {again[each] for each in phones(2)} == {first[each] for each in phones(2)}
    assert isinstance(first[bad], Reject)
    assert isinstance(again[bad], Reject)
    assert not {*keyring.of("two", "IN", phones(1, 2)).values()} & {*first.values()}
    assert asked.points_asked[2] == phones(1, 2)


def test_what_was_asked_for_lately_is_remembered_and_the_rest_forgotten(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "REMEMBERED", 4)
    keyring = Keyring(asked)  # type: ignore[arg-type]
    keys = dict(keyring.of("one", "IN", phones(1, 2, 3, 4)))
    found = keyring.of("one", "IN", phones(1, 5))  # the fifth: a new generation, in which 1 and 5 are known
    assert {each: found[each] for each in phones(1)} == {each: keys[each] for each in phones(1)}
    assert set(found) == phones(1, 5)
    assert keyring.of("one", "IN", phones(2))[next(iter(phones(2)))] == keys[next(iter(phones(2)))]  # by the older one
    assert asked.points_asked == [phones(1, 2, 3, 4), phones(5)]
    keyring.of("one", "IN", phones(6, 7))  # and 3 and 4 are gone
    keyring.of("one", "IN", phones(3))
    assert asked.points_asked[2:] == [phones(6, 7), phones(3)]
