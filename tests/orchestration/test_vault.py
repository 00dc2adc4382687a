"""The vault: the same answer to all, nothing in the clear, nothing without the master key."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.events import Point
from core.sealing import SealError, seal, unseal
from orchestration.resources.state import State
from orchestration.resources.vault import Vault, VaultError


def phones(count: int, start: int = 0) -> list[Point]:
    return [Point("phone", f"+9198{number:08d}") for number in range(start, start + count)]


def test_a_point_keeps_its_surrogate_and_key(vault: Vault) -> None:
    points = [*phones(50), Point("email", "asha@example.com"), Point("wa_user_id", "+9198")]
    first = vault.points("v_keep", points)
    assert set(first) == set(points)
    assert vault.points("v_keep", reversed(points)) == first  # type: ignore[arg-type]
    assert vault.points("v_keep", [points[0], points[0]]) == {points[0]: first[points[0]]}
    assert vault.points("v_keep", []) == {}
    assert len({each.point_id for each in first.values()}) == len({each.key for each in first.values()}) == len(points)
    for each in first.values():
        assert each.point_id.startswith("cp_")
        assert len(each.point_id) == 29
        assert len(each.key) == 32


def test_tenants_and_kinds_do_not_share(vault: Vault) -> None:
    point = Point("phone", "+919800000001")
    one, other = vault.points("v_one", [point])[point], vault.points("v_two", [point])[point]
    assert one.point_id != other.point_id
    assert one.key != other.key
    assert vault.reveal("v_two", [one.point_id]) == {}
    twin = Point("razorpay_contact", "+919800000001")
    assert vault.points("v_one", [twin])[twin].point_id != one.point_id


def test_reveal_and_keys(vault: Vault) -> None:
    found = vault.points("v_reveal", phones(5))
    ids = [each.point_id for each in found.values()]
    assert vault.reveal("v_reveal", [*ids, "cp_unknown"]) == {each.point_id: point for point, each in found.items()}
    assert vault.keys("v_reveal", ids) == {each.point_id: each.key for each in found.values()}


def test_an_erased_point_is_gone_and_its_owner_comes_back_as_somebody_new(vault: Vault, state: State) -> None:
    point = Point("phone", "+919800000009")
    before = vault.points("v_erased", [point])[point]
    with state.psycopg() as connection:
        connection.execute(
            "update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s", (before.point_id,)
        )
    assert vault.reveal("v_erased", [before.point_id]) == {}
    assert vault.keys("v_erased", [before.point_id]) == {}
    assert vault.points("v_erased", [point])[point].point_id != before.point_id


def test_who_asks_at_once_gets_the_same(vault: Vault, state: State) -> None:
    points = phones(400, start=1_000)
    shuffled = [points, points[::-1], points[200:] + points[:200], points[::2] + points[1::2]]
    others = [Vault(state, vault._master_key) for _ in shuffled]  # as separate processes have
    with ThreadPoolExecutor(len(shuffled)) as pool:
        answers = list(pool.map(lambda pair: pair[0].points("v_race", pair[1]), zip(others, shuffled, strict=True)))
    assert all(answer == answers[0] for answer in answers)
    with state.psycopg() as connection:
        assert connection.execute("select count(*) from vault.points where tenant_id = 'v_race'").fetchone() == (400,)


def test_tenant_keys(vault: Vault, state: State) -> None:
    key = vault.tenant_key("v_keys", "ref")
    assert len(key) == 32
    assert Vault(state, vault._master_key).tenant_key("v_keys", "ref") == key
    assert len({key, vault.tenant_key("v_keys", "fragment"), vault.tenant_key("", "ref"), vault.tenant_key("platform", "ref")}) == 4
    with ThreadPoolExecutor(4) as pool:
        raced = set(pool.map(lambda _: Vault(state, vault._master_key).tenant_key("v_keys", "raced"), range(4)))
    assert len(raced) == 1


def test_nothing_lies_in_the_clear(vault: Vault, state: State) -> None:
    point = Point("email", "very.findable@example.com")
    key = vault.points("v_clear", [point])[point].key
    with state.psycopg() as connection:
        dump = connection.execute("select string_agg(p::text, '') from vault.points p").fetchone()
    assert dump is not None
    for hidden in (point.value, point.value.encode().hex(), key.hex(), vault.tenant_key("v_clear", "ref").hex()):
        assert hidden not in dump[0]


def test_another_master_key_opens_nothing_and_says_so(vault: Vault, state: State) -> None:
    vault.points("v_other", phones(1))
    with pytest.raises(VaultError, match="master key"):
        Vault(state, os.urandom(32)).points("v_other", phones(1))


def test_sealing() -> None:
    key = os.urandom(32)
    sealed = seal(key, b"text", b"event:text")
    assert sealed == seal(key, b"text", b"event:text")
    assert unseal(key, sealed, b"event:text") == b"text"
    others = [seal(key, b"text", b"other:text"), seal(key, b"texts", b"event:text"), seal(key, b"xtext", b"event:te")]
    assert len({each[:12] for each in (sealed, *others)}) == 4  # no two share a nonce
    flipped = bytes([sealed[0] ^ 1]) + sealed[1:]
    for wrong in (
        (os.urandom(32), sealed, b"event:text"),
        (key, sealed, b"other:text"),
        (key, flipped, b"event:text"),
        (key, b"", b""),
    ):
        with pytest.raises(SealError):
            unseal(*wrong)
