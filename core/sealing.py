"""Authenticated encryption that gives the same bytes for the same input, so that a rerun of a segment writes identical files.

Here belong `seal`, also for many texts of one key (`Sealer`), and `unseal`. Not here: where keys come from (`core.ports.Vault`), what is
sealed (`core.rows`).
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_PERSON = b"flexoraa.nonce.1"  # BLAKE2b's domain separation: no other use of the same key gives this hash


class SealError(Exception):
    """Bytes that this key and this associated data did not seal, or that were changed since."""


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """AES-256-GCM with a synthetic nonce: nonce (12 bytes), ciphertext, tag (16 bytes).

    The nonce is a keyed hash of `aad` and `plaintext`. GCM breaks when one nonce serves two different messages under one key;
    here two messages share a nonce only if they are equal in both parts (then the output is equal too, and nothing new is
    told), or by a collision of 96 bits, a chance of about 2^-33 after 2^32 messages under one key. What remains is that equal
    inputs show as equal: `aad` therefore names the event and the field, so equality says only that the same event was seen
    twice.

    Args:
        key: 32 bytes.
        plaintext: any bytes.
        aad: what the ciphertext belongs to, authenticated but not stored; needed again to unseal.

    >>> sealed = seal(bytes(32), b"hello", b"event-1:text")
    >>> sealed == seal(bytes(32), b"hello", b"event-1:text"), unseal(bytes(32), sealed, b"event-1:text")
    (True, b'hello')
    """
    return Sealer(key).seal(plaintext, aad)


class Sealer:
    """`seal` under one key, again and again: 1.3 µs instead of 2.7 µs."""

    __slots__ = ("_encrypt", "_nonce")

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes."""
        self._nonce = hashlib.blake2b(digest_size=_NONCE_BYTES, key=key, person=_PERSON)
        self._encrypt = AESGCM(key).encrypt

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """As `seal`."""
        hashed = self._nonce.copy()
        # The length of aad goes first, or ("ab", "c") and ("a", "bc") would share a nonce.
        hashed.update(len(aad).to_bytes(8, "big") + aad + plaintext)
        nonce = hashed.digest()
        return nonce + self._encrypt(nonce, plaintext, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext of `seal`.

    Raises:
        SealError: another key, other associated data, or changed bytes.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)
    except (InvalidTag, ValueError) as error:
        message = f"{len(sealed)} sealed bytes do not open with this key and this associated data"
        raise SealError(message) from error
