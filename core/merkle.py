"""Merkle trees as in RFC 6962 (and RFC 9162, section 2.1): a root over many hashes, and a short proof that one is among them.

Here belongs the arithmetic on bytes. Not here: what is hashed (`core.audit`), what roots are published (`core.audit_export`).
"""

import hashlib
from collections.abc import Sequence


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree's hash over the leaves' data, 32 bytes; of no leaves that of the empty string. RFC 9162, 2.1.1.

    >>> root([]).hex()[:16], root([b""]).hex()[:16]
    ('e3b0c44298fc1c14', '6e340b9cffb37a98')
    """
    if not leaves:
        return hashlib.sha256().digest()
    level = [_leaf(each) for each in leaves]
    # Bottom up: pairing neighbours and carrying an odd last one over gives the tree that splits at the largest power of two.
    while len(level) > 1:
        paired = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf `index` (from 0) to the root, from the leaf's sibling upward. RFC 9162, 2.1.3.1.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    path, level = [], [_leaf(each) for each in leaves]
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level, index = paired + level[len(level) & ~1 :], index >> 1
    return path


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether the proof shows that `leaf` is the one at `index` of the `size` leaves under the root. RFC 9162, 2.1.3.2.

    >>> leaves = [b"a", b"b", b"c"]
    >>> is_included(b"c", 2, 3, proof(leaves, 2), root(leaves)), is_included(b"c", 1, 3, proof(leaves, 2), root(leaves))
    (True, False)
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, _leaf(leaf)
    for each in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _node(each, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, each)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
