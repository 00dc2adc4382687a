"""A Google of our own: an RSA key that follows from the seed, and OIDC tokens signed with it as Pub/Sub sends them.

Here belongs what makes a push believable. Never use such a key for anything else: whoever knows the seed has it. Not here: what a push says
(`gmail`).
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "https://hooks.flexoraa.example/hooks/gmail"
PUSHER = "push@sim-project.iam.gserviceaccount.com"
_KID = "simulated"
_EXPONENT = 65_537
_HALF_BITS = 1_024
_ROUNDS = 8
_SMALL = [n for n in range(3, 2_000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


class Google:
    """One issuer of tokens."""

    def __init__(self, rng: Random) -> None:
        """Make the key: about half a second."""
        p, q = _prime(rng), _prime(rng)
        d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
        public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
        self._key = rsa.RSAPrivateNumbers(
            p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
        ).private_key()
        self._modulus = public.n

    def jwk(self) -> dict[str, str]:
        """The public key as Google publishes it."""
        return {"kty": "RSA", "kid": _KID, "n": _b64(self._modulus.to_bytes(2 * _HALF_BITS // 8, "big")), "e": _b64(b"\x01\x00\x01")}

    def token(self, received_at: datetime) -> str:
        """A token of the push service, an hour long from then on."""
        said = _said(received_at)
        return f"{said}.{_b64(self._key.sign(said.encode(), PKCS1v15(), SHA256()))}"


def forged_token(received_at: datetime, rng: Random) -> str:
    """A token that says the same, with a signature of nobody's."""
    return f"{_said(received_at)}.{_b64(rng.randbytes(2 * _HALF_BITS // 8))}"


def _said(received_at: datetime) -> str:
    issued = int(received_at.timestamp())
    claims = {
        "aud": AUDIENCE,
        "azp": "117000000000000000000",
        "email": PUSHER,
        "email_verified": True,
        "exp": issued + int(timedelta(hours=1).total_seconds()),
        "iat": issued,
        "iss": "https://accounts.google.com",
        "sub": "117000000000000000000",
    }
    return f"{_part({'alg': 'RS256', 'kid': _KID, 'typ': 'JWT'})}.{_part(claims)}"


def _part(value: Mapping[str, object]) -> str:
    return _b64(json.dumps(value, separators=(",", ":")).encode())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _prime(rng: Random) -> int:
    """A prime of half the key's length with its two highest bits set, so that the product has the full length."""
    while True:
        number = rng.getrandbits(_HALF_BITS) | 0b11 << _HALF_BITS - 2 | 1
        if (number - 1) % _EXPONENT and all(number % each for each in _SMALL) and _is_prime(number, rng):
            return number


def _is_prime(number: int, rng: Random) -> bool:
    """Miller and Rabin's test."""
    odd, twos = number - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    for _ in range(_ROUNDS):
        value = pow(rng.randrange(2, number - 1), odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True
