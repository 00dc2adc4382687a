"""The certificate of a verification: one JSON text, signed with Ed25519.

Here belongs what it says, signing it, and checking a signature. It names surrogates and places, never a person. Not here: where it is kept.
"""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from orchestration.verifier.verify import Report

FORMAT = "flexoraa.erasure.1"
_SHOWN = 100


def certificate(owner: str, facts: Mapping[str, Any], report: Report) -> str:
    """The text: `facts` of the request, and what was searched and found for it."""
    found = sorted(report.of(owner).items())
    body = {
        "format": FORMAT,
        "request_id": owner,
        **facts,
        "verdict": "clean" if not found else "found",
        "hits": sum(count for _, count in found),
        "places": [{"place": hit.place, "form": hit.form, "count": count} for hit, count in found[:_SHOWN]],
        "later_events": report.later.get(owner, 0),
        "searched": {name: {"things": things, "bytes": size} for name, (things, size) in sorted(report.stores.items())},
        "searched_bytes": report.bytes,
        "searched_forms": dict(sorted(report.forms.items())),
        "not_covered": report.not_covered,
        "seconds": round(report.seconds, 3),
    }
    return json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False, default=str)


def sign(body: str, seed: bytes) -> tuple[str, str]:
    """Signature and public key, in hex; `seed`: 32 bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.sign(body.encode()).hex(), key.public_key().public_bytes_raw().hex()


def is_signed(body: str, signature: str, public_key: str) -> bool:
    """Whether the signature is of this very text.

    >>> signature, key = sign("text", bytes(32))
    >>> is_signed("text", signature, key), is_signed("Text", signature, key)
    (True, False)
    """
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), body.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
