"""What the decoders share: JSON with a named place for an error, signatures, times by magnitude.

Here belongs what at least two sources need. Not here: anything that one vendor does alone.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from core.events import Reject

T = TypeVar("T")

_PATH = re.compile(r" - at `([^`]*)`$")
_QUOTED = re.compile(r"'.*'")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this would be the year 5138, as milliseconds 1973


def decode_json(decoder: msgspec.json.Decoder[T], raw: bytes, account_id: str | None = None) -> T | Reject:
    """Decode, or say where and why not. The vendor's values are never quoted: they may be personal."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        path = _PATH.search(str(error))
        detail = _QUOTED.sub("…", _PATH.sub("", str(error)))
        return Reject("bad_shape", path.group(1) if path else "$", detail, account_id)
    except msgspec.DecodeError as error:
        return Reject("not_json", "$", str(error), account_id)


def hmac_hex_matches(secret: bytes, raw: bytes, signature: str) -> bool:
    """Compare a hex HMAC-SHA256 of `raw` with `signature` in constant time."""
    expected = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; a moment without an offset is an error of the caller."""
    if moment.tzinfo is None:
        message = f"a moment without an offset: {moment}"
        raise ValueError(message)
    return moment.astimezone(UTC)


def epoch(value: str | int | float | None) -> datetime | None:
    """Seconds or milliseconds since 1970, told apart by magnitude; None where it is no such number or outside 2000 to 2100.

    >>> [str(epoch(value)) for value in ("1749416383", 1749416383123, "TIMESTAMP")]
    ['2025-06-08 20:59:43+00:00', '2025-06-08 20:59:43.123000+00:00', 'None']
    """
    try:
        number = int(value)  # type: ignore[arg-type]  # None and text are what the except is for
    except (TypeError, ValueError):
        return None
    micros = number * 1_000 if abs(number) >= _MILLISECONDS_FROM else number * 1_000_000
    if not EARLIEST.timestamp() * 1e6 <= micros < LATEST.timestamp() * 1e6:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
