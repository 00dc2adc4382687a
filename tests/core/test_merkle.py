"""Merkle trees against the definition of RFC 6962 word for word, and against the published example of its authors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import merkle

# The example of the certificate-transparency project: eight inputs and the root over the first 1, 2, … of them (those that it prints).
INPUTS = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = st.lists(st.binary(max_size=3), max_size=40)


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:half]) + defined(leaves[half:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    if index < half:
        return [*path(index, leaves[:half]), defined(leaves[half:])]
    return [*path(index - half, leaves[half:]), defined(leaves[:half])]


@pytest.mark.parametrize("size", ROOTS)
def test_the_published_example_has_its_roots(size: int) -> None:
    assert merkle.root(INPUTS[:size]).hex() == ROOTS[size]


@given(LEAVES)
def test_roots_and_proofs_are_those_of_the_definition_and_every_leaf_is_proved(leaves: list[bytes]) -> None:
    root = merkle.root(leaves)
    assert root == defined(leaves)
    for index, leaf in enumerate(leaves):
        found = merkle.proof(leaves, index)
        assert found == path(index, leaves)
        assert merkle.is_included(leaf, index, len(leaves), found, root)


@given(LEAVES.filter(bool), st.data())
def test_a_proof_of_another_leaf_place_size_or_path_proves_nothing(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    found, root = merkle.proof(leaves, index), merkle.root(leaves)
    assert not merkle.is_included(leaves[index] + b"x", index, len(leaves), found, root)
    assert not merkle.is_included(leaves[index], index, len(leaves), [*found, root], root)
    assert not merkle.is_included(leaves[index], -1, len(leaves), found, root)
    assert not merkle.is_included(leaves[index], len(leaves), len(leaves), found, root)
    for place in range(len(found)):
        assert not merkle.is_included(leaves[index], index, len(leaves), found[:place] + found[place + 1 :], root)
    for other in range(len(leaves)):
        if leaves[other] != leaves[index]:
            assert not merkle.is_included(leaves[other], index, len(leaves), found, root)


def test_there_is_no_proof_for_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError, match="no leaf 3 among 3"):
        merkle.proof([b"a", b"b", b"c"], 3)
