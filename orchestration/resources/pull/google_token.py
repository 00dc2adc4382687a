"""Google's access tokens: had for a refresh token, or for a service account that may act for the mailbox; kept in memory only.

Here belongs the credential's file, as Google gives it. Not here: where it is kept (the vault), what is asked with it (`gmail`).
"""

import base64
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from orchestration.resources.pull.http import Api, PullUsageError

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_MARGIN = 60.0
"""Seconds before its end from which a token is not used any more: a request under way must not outlive it."""


class OAuthUser(Struct, tag_field="type", tag="authorized_user"):
    """Somebody who consented; the JSON file that Google's tools write."""

    client_id: str
    client_secret: str
    refresh_token: str


class ServiceAccount(Struct, tag_field="type", tag="service_account"):
    """A service account with domain-wide delegation; the JSON key file that Google gives."""

    client_email: str
    private_key: str
    private_key_id: str = ""


class _Answer(Struct):
    access_token: str
    expires_in: float = 3600.0


class GoogleToken:
    """The authorization of one mailbox."""

    def __init__(self, credential: bytes, mailbox: str, api: Api, now: Callable[[], datetime], scope: str = SCOPE) -> None:
        """Nothing is asked before the first request.

        Args:
            credential: JSON of `OAuthUser` or `ServiceAccount`.
            mailbox: for whom a service account acts.
            api: the token endpoint, which needs no authorization.
            now: the moment that a service account's claim is made at.
            scope: what a service account asks for; a user's token may do what the user consented to.

        Raises:
            PullUsageError: the credential is neither.
        """
        try:
            self._credential = msgspec.json.decode(credential, type=OAuthUser | ServiceAccount)
            self._key = _private_key(self._credential.private_key) if isinstance(self._credential, ServiceAccount) else None
        except (msgspec.MsgspecError, ValueError, UnsupportedAlgorithm):  # none of them is shown: they quote the secret
            message = f"{api.whose}: access_token is not the JSON that Google gives for a user (authorized_user) or a service account"
            raise PullUsageError(message) from None
        self._mailbox, self._api, self._now, self._scope = mailbox, api, now, scope
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def headers(self) -> Mapping[str, str]:
        """With a token that lives; threads that find none wait for the one that fetches it."""
        with self._lock:
            if self._api.passage.seconds() >= self._ends:
                self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        """The token is forgotten, and fetched anew with the next request."""
        with self._lock:
            self._ends = 0.0
        return True

    def _fetch(self) -> None:
        given = self._credential
        if isinstance(given, OAuthUser):
            asked = {"grant_type": "refresh_token", **msgspec.structs.asdict(given)}
        else:
            asked = {"grant_type": _GRANT, "assertion": self._assertion(given)}
        answer = self._api.post("", asked, _Answer, is_form=True)
        self._token, self._ends = answer.access_token, self._api.passage.seconds() + answer.expires_in - _MARGIN

    def _assertion(self, account: ServiceAccount) -> str:
        issued = int(self._now().timestamp())
        head = {"alg": "RS256", "typ": "JWT", "kid": account.private_key_id}
        claims = {"iss": account.client_email, "sub": self._mailbox, "scope": self._scope, "aud": self._api.base_url}
        signed = ".".join(_base64(msgspec.json.encode(each)) for each in (head, claims | {"iat": issued, "exp": issued + 3600}))
        assert self._key is not None  # noqa: S101 — a service account has one, or it was refused
        return f"{signed}.{_base64(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        message = "no RSA key"
        raise ValueError(message)
    return key


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
