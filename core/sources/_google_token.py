"""Google's signed tokens: whether an OIDC JWT is of this service account, for this audience, and alive at a moment.

Here belong signature (RS256) and claims, against keys that come in as data. Not here: fetching those keys
(`orchestration.resources.google_keys`), what the push says.
"""

import base64
import binascii
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct, field

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
LEEWAY = timedelta(seconds=60)
"""How far the issuer's clock may be from ours."""

_LONGEST = 8_192  # Google's tokens have about 1,000 characters
_LEAST_BITS = 2_048


class Key(Struct):
    """One RSA key of a JSON Web Key Set."""

    n: str
    e: str
    kid: str = ""
    kty: str = "RSA"


class Trust(Struct):
    """Whom a mailbox's pushes must come from, and with which keys: the JSON that is the connection's verify secret.

    `secret` signs what we fetch ourselves (history pages, mails) and is no business of Google's. `keys` may be left out: then they are
    Google's. A mailbox that is only polled has neither `audience` nor `email`, and no push is believed.
    """

    audience: str = ""
    email: str = ""
    secret: str = ""
    issuers: tuple[str, ...] = ISSUERS
    keys: tuple[Key, ...] = ()


class _Header(Struct):
    alg: str
    kid: str = ""


class _Claims(Struct):
    iss: str
    aud: str
    exp: float
    email: str = ""
    email_verified: bool = False
    iat: float | None = None
    nbf: float | None = field(default=None)


_HEADER = msgspec.json.Decoder(_Header)
_CLAIMS = msgspec.json.Decoder(_Claims)


def token_holds(token: str, trust: Trust, moment: datetime) -> bool:
    """Whether the token is RS256 by one of the keys, and every claim is as it must be at `moment`."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST or not token.isascii():
        return False
    try:
        header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        head, said = _HEADER.decode(header), _CLAIMS.decode(claims)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return False
    if head.alg != "RS256":  # never what the token itself proposes: "none" and HS256 with the public key are known attacks
        return False
    signed = ".".join(parts[:2]).encode()
    return any(_is_signed(key, signed, signature) for key in trust.keys if key.kid == head.kid) and _is_said(said, trust, moment)


def _is_said(said: _Claims, trust: Trust, moment: datetime) -> bool:
    now, leeway = moment.timestamp(), LEEWAY.total_seconds()
    return (
        bool(trust.audience and trust.email)
        and said.iss in trust.issuers
        and said.aud == trust.audience
        and said.email == trust.email
        and said.email_verified
        and now < said.exp + leeway
        and (said.iat is None or said.iat - leeway <= now)
        and (said.nbf is None or said.nbf - leeway <= now)
    )


def _is_signed(key: Key, signed: bytes, signature: bytes) -> bool:
    public = _public_key(key.n, key.e)
    if public is None:
        return False
    try:
        public.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)
def _public_key(n: str, e: str) -> RSAPublicKey | None:
    try:
        modulus, exponent = (int.from_bytes(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), "big") for part in (n, e))
        public = RSAPublicNumbers(exponent, modulus).public_key()
    except (binascii.Error, ValueError):
        return None
    return public if public.key_size >= _LEAST_BITS else None
