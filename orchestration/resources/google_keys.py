"""Google's public keys, with which Gmail's pushes are signed: fetched when they are due, kept on disk.

Here belongs fetching and caching, as the `Cache-Control` of the answer allows. Published keys stay for `KEPT`: a segment may be taken
in long after its pushes came, and Google changes its keys about every week. Not here: what a token must say (`core.sources.gmail`).
"""

import contextlib
import logging
import os
import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct, field

from core.ports import Clock
from core.sources._google_token import Key, Trust

KEPT = timedelta(days=90)
"""How long after Google last showed a key a segment signed with it can still be taken in."""

_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(days=1)
_AFTER_FAILURE = timedelta(minutes=1)
_TIMEOUT = httpx.Timeout(5.0)
_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})")
_LARGEST = 100_000  # Google's answer has about 1,000 bytes
_log = logging.getLogger(__name__)


class _Kept(Struct):
    key: Key
    seen_at: datetime


class _Cache(Struct):
    due_at: datetime | None = None
    keys: list[_Kept] = field(default_factory=list)


class _Answer(Struct):
    keys: list[Key]


class GoogleKeys:
    """The keys that Google publishes at `url`, cached in the file `path`."""

    def __init__(self, url: str, path: Path, clock: Clock) -> None:
        """Nothing is fetched before somebody needs a key."""
        self._url = url
        self._path = path
        self._clock = clock

    def complete(self, secret: bytes) -> bytes:
        """A Gmail connection's verify secret with Google's keys put in; one that brings its own, or is none, stays as it is."""
        try:
            trust = msgspec.json.decode(secret, type=Trust)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return secret
        if not trust.keys:
            trust.keys = tuple(self.keys())
        return msgspec.json.encode(trust)

    def keys(self) -> list[Key]:
        """Every key to believe now; the last known ones while Google does not answer."""
        cache, now = self._read(), self._clock.now()
        if cache.due_at is None or cache.due_at <= now:
            cache = self._fetch(cache, now)
            self._write(cache)
        return [kept.key for kept in cache.keys if now < kept.seen_at + KEPT]

    def due_at(self) -> datetime | None:
        """When they are to be fetched again; None before the first time."""
        return self._read().due_at

    def _fetch(self, cache: _Cache, now: datetime) -> _Cache:
        try:
            answer = httpx.get(self._url, timeout=_TIMEOUT)
            answer.raise_for_status()
            if len(answer.content) > _LARGEST:
                message = f"{len(answer.content):,} bytes"
                raise ValueError(message)
            fresh = msgspec.json.decode(answer.content, type=_Answer).keys
        except (httpx.HTTPError, msgspec.MsgspecError, ValueError) as error:
            _log.warning("Google's keys could not be fetched from %s (%s); the %s known stay", self._url, error, len(cache.keys))
            return _Cache(now + _AFTER_FAILURE, cache.keys)
        found = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        lasts = min(max(timedelta(seconds=int(found.group(1))) if found else _SHORTEST, _SHORTEST), _LONGEST)
        shown = {key.kid for key in fresh}
        older = [kept for kept in cache.keys if kept.key.kid not in shown and now < kept.seen_at + KEPT]
        return _Cache(now + lasts, [_Kept(key, now) for key in fresh if key.kty == "RSA"] + older)

    def _read(self) -> _Cache:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Cache)
        except (FileNotFoundError, msgspec.MsgspecError):
            return _Cache()

    def _write(self, cache: _Cache) -> None:
        """In one step, for the collector and a run may write at once; both write what Google said."""
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        aside.write_bytes(msgspec.json.encode(cache))
        with contextlib.suppress(FileNotFoundError):
            aside.replace(self._path)
