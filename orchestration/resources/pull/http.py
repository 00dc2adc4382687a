"""One way to ask a vendor's API: a rate for each account, one policy of trying again, errors that say what to do.

Here belongs every request of the pull sources. Again is tried what passes: no connection, no or half an answer, 408, 429, 5xx. Anything
else is final. Not here: what is asked (`gmail`, `razorpay`, `calendly`), tokens (`google_token`).
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import httpx
import msgspec
import tenacity

T = TypeVar("T")
Params = Mapping[str, str | list[str]]

MAX_ANSWER_BYTES = 64 << 20
"""Gmail takes mails of up to 50 MB, and their attachments are not in the answer."""

_PASSING = frozenset({408, 425, 429})
_NEVER = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError)
"""Requests that cannot be written at all: an address without a scheme that we know, a token with a line break or an umlaut."""

_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons with which Google answers 403 where others answer 429."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_APPLY = "put a new one where the tenants file says (access_token) and run `flexoraa tenant apply`"


class PullError(Exception):
    """What could not be fetched: of which tenant and connection, why, and what to do. Nothing was skipped: the next try begins there."""


class PullUsageError(Exception):
    """Nothing can be fetched as it was asked for or configured; nothing was touched."""


class ApiError(PullError):
    """A final answer: `status` is HTTP's, `reason` the vendor's code, if it looks like one."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(message)


class Tries(NamedTuple):
    """How long to try. Seconds: for all tries of a request together, for one answer, for the first wait, for the longest wait."""

    total_seconds: float = 300.0
    answer_seconds: float = 60.0
    first_wait: float = 0.5
    longest_wait: float = 60.0


@dataclass(frozen=True)
class Passage:
    """How time passes: seconds that never go back, and sleeping; tests bring their own."""

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Bucket:
    """A token bucket: `rate` requests a second in the long run, `burst` at once. Threads may share it."""

    def __init__(self, rate: float, burst: int, passage: Passage) -> None:
        self._step, self._slack, self._passage = 1 / rate, (burst - 1) / rate, passage
        self._free_at = passage.seconds() - self._slack
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a turn. Turns are given in advance, so those who wait do not meet again."""
        with self._lock:
            now = self._passage.seconds()
            self._free_at = max(self._free_at, now - self._slack)
            wait = self._free_at - now
            self._free_at += self._step
        if wait > 0:
            self._passage.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Nobody's turn before so many seconds: the vendor told this account to wait."""
        with self._lock:
            self._free_at = max(self._free_at, self._passage.seconds() + seconds)


class Authorization(Protocol):
    """What makes a request ours."""

    def headers(self) -> Mapping[str, str]:
        """The headers to send."""
        ...

    def renew(self) -> bool:
        """After a 401: whether it is worth another try."""
        ...


class Fixed:
    """A token or key that does not change."""

    def __init__(self, value: str) -> None:
        """The value of `Authorization`."""
        self._value = value

    def headers(self) -> Mapping[str, str]:
        """Always the same."""
        return {"Authorization": self._value} if self._value else {}

    def renew(self) -> bool:
        """There is nothing to renew."""
        return False


class _PassingError(Exception):
    """A failure that passes: why, and after how many seconds the vendor wants to be asked again."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(why)


@dataclass(frozen=True)
class Api:
    """One account at one vendor. `whose` names tenant and connection in errors; `needs` is the permission that reading takes."""

    client: httpx.Client
    whose: str
    base_url: str
    needs: str
    authorization: Authorization
    bucket: Bucket
    tries: Tries = field(default_factory=Tries)
    passage: Passage = field(default_factory=Passage)

    def get(self, path: str, params: Params, of: type[T]) -> T:
        """Ask until there is an answer of this shape.

        Raises:
            ApiError: a final answer, 4xx.
            PullError: no answer within `Tries.total_seconds`, or one of another shape.
        """
        return self._ask("GET", path, of, params=dict(params))

    def get_both(self, path: str, params: Params, of: type[T]) -> tuple[dict[str, Any], T]:
        """The answer as it came, to be handed in, and in this shape."""
        raw = self.get(path, params, dict[str, Any])
        try:
            return raw, msgspec.convert(raw, of)
        except msgspec.ValidationError as error:
            raise self._unshaped(path, error) from None

    def post(self, path: str, body: Mapping[str, Any], of: type[T], *, is_form: bool = False) -> T:
        """The same with a body; only for what may be said twice."""
        return self._ask("POST", path, of, **({"data": body} if is_form else {"json": body}))

    def _ask(self, method: str, path: str, of: type[T], **content: Any) -> T:
        begun = self.passage.seconds()
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_PassingError),
            wait=self._wait,
            stop=lambda state: self.passage.seconds() - begun + state.upcoming_sleep > self.tries.total_seconds,
            sleep=self.passage.sleep,
            reraise=True,
        )
        try:
            answer: T = tries(self._try, method, path, of, content)
        except _PassingError as error:
            seconds = f"{self.passage.seconds() - begun:.0f} s"
            message = f"{self.whose}: {self.base_url}{path} gave no answer in {seconds} ({error}); nothing is lost, try again later"
            raise PullError(message) from None  # the cause may quote what was sent
        return answer

    def _wait(self, state: tenacity.RetryCallState) -> float:
        longest = tenacity.wait_random_exponential(multiplier=self.tries.first_wait, max=self.tries.longest_wait)(state)
        error = state.outcome.exception() if state.outcome else None
        return longest if not isinstance(error, _PassingError) or error.wait is None else error.wait + min(longest, 1.0)

    def _try(self, method: str, path: str, of: type[T], content: dict[str, Any]) -> T:
        response, raw = self._send(method, path, content)
        if response.status_code == httpx.codes.UNAUTHORIZED and self.authorization.renew():
            response, raw = self._send(method, path, content)
        reason = _reason(raw)
        status = response.status_code
        if status in _PASSING or status >= httpx.codes.INTERNAL_SERVER_ERROR or reason in _RATE_REASONS:
            wait = retry_after(response.headers)
            if wait is not None:
                self.bucket.pause(wait)
            raise _PassingError(f"HTTP {status}", wait)
        if not response.is_success:
            raise ApiError(f"{self.whose}: {self._refused(path, status, reason)}", status, reason)
        try:
            return msgspec.json.decode(raw, type=of)
        except msgspec.ValidationError as error:
            raise self._unshaped(path, error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # half an answer, or a proxy's page
            raise _PassingError(f"HTTP {status} with a body that is no JSON") from None

    def _send(self, method: str, path: str, content: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        headers = {**self.authorization.headers(), "Accept": "application/json"}  # before the turn: a token may have to be fetched
        self.bucket.take()
        try:
            with self.client.stream(method, f"{self.base_url}{path}", headers=headers, **content) as response:
                return response, self._read(response)
        except _NEVER as error:
            raise PullError(f"{self.whose}: no request can be made of this address or token: {type(error).__name__}") from None
        except httpx.TransportError as error:
            raise _PassingError(type(error).__name__) from None
        except httpx.DecodingError as error:
            raise _PassingError(type(error).__name__) from None

    def _read(self, response: httpx.Response) -> bytes:
        answer, until = bytearray(), time.monotonic() + self.tries.answer_seconds
        for part in response.iter_bytes():
            answer += part
            if len(answer) > MAX_ANSWER_BYTES:
                raise PullError(f"{self.whose}: an answer of more than {MAX_ANSWER_BYTES >> 20} MB")
            if time.monotonic() > until:  # a byte now and then never times out
                raise _PassingError(f"no whole answer in {self.tries.answer_seconds:g} s")
        return bytes(answer)

    def _unshaped(self, path: str, error: msgspec.ValidationError) -> PullError:
        place = str(error).rpartition(" - at ")[2][:100] or "at its top"  # the rest may quote what stands there
        shape = f"{self.whose}: {self.base_url}{path} answered in a shape that is not known ({place})"
        return PullError(f"{shape}; is this the vendor's address?")

    def _refused(self, path: str, status: int, reason: str) -> str:
        said = f"{self.base_url}{path} answered HTTP {status}" + (f" ({reason})" if reason else "")
        if status == httpx.codes.UNAUTHORIZED or reason in {"invalid_grant", "invalid_client", "unauthorized_client"}:
            return f"{said}: the credential has expired, was revoked or is of somebody else; {_APPLY}"
        if status == httpx.codes.FORBIDDEN:
            return f"{said}: the credential lacks a permission, {self.needs} is needed; grant it, or {_APPLY}"
        return said


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the vendor wants us to wait; a date counts from the answer's own `Date`, for clocks differ.

    >>> retry_after({"retry-after": "7"}), retry_after({"retry-after": "soon"}), retry_after({})
    (7.0, None, None)
    >>> retry_after({"retry-after": "Sun, 01 Mar 2026 08:00:30 GMT", "date": "Sun, 01 Mar 2026 08:00:00 GMT"})
    30.0
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        begun = headers.get("date")
        since = parsedate_to_datetime(begun) if begun else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(text) - since).total_seconds())
    except (ValueError, TypeError):
        return None


def _reason(raw: bytes) -> str:
    """The vendor's code of an error: Google's `error.errors[].reason` or `error`, Razorpay's `error.code`, Calendly's `title`."""
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    error = said.get("error", said.get("title")) if isinstance(said, dict) else None
    if isinstance(error, dict):
        listed = error.get("errors")
        first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
        error = first.get("reason") or error.get("code") or error.get("status")
    found = str(error or "").replace(" ", "_")
    return found if _CODE.fullmatch(found) else ""
