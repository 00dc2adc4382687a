"""Who reads messages: the shipped models, or somebody's language model behind a URL, with the shipped ones where it fails.

Here belong both behind one port, `core.signals.SignalReader`, and what is asked of a service outside. Not here: models and rules
(`ml.signals`), where the fitted ones lie (`signal_models`), which tenants' messages may go out (settings).

A service is sent `POST {"messages": [{"text", "at", "direction", "timezone", "currency"}, …]}` and answers `{"signals": [{…}, …]}`, one for
each in their order, with the fields of `Answer`. It learns neither tenant nor contact. What it does not answer in time, in this form and
within the lists of classes is read here, and counted by why.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import httpx
import msgspec
from msgspec import Meta, Struct

from core.signals import OFF, Heard, SignalReader, Spoken
from orchestration.resources.settings import Settings
from orchestration.resources.signals import OUTSIDE

if TYPE_CHECKING:
    from ml.signals.model import Models
    from orchestration.resources.signal_models import SignalModels

SHIPPED = "shipped"
_BATCH = 20
"""Messages in one request: a language model answers about one a second."""

_PATIENCE = 3
"""Requests that fail one after the other before the rest of a run is read here."""

_LARGEST_ANSWER = 1 << 20

_Share = Annotated[float, Meta(ge=0, le=1)]
_Money = Annotated[int, Meta(ge=0, le=10**15)]


class Answer(Struct, forbid_unknown_fields=True, frozen=True):
    """What a service says of one message."""

    language: Literal["en", "hi", "hinglish", "und"]
    language_confidence: _Share
    intent: Literal["none", "support", "exploring", "comparing", "ready_to_buy"] | None = None
    intent_confidence: _Share | None = None
    budget_low_minor: _Money | None = None
    budget_high_minor: _Money | None = None
    budget_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    budget_confidence: _Share | None = None
    timeline_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    timeline_confidence: _Share | None = None
    objection: Literal["none", "price", "timing", "trust", "authority", "no_need", "competitor", "fit"] | None = None
    objection_confidence: _Share | None = None
    buying_signal: Literal["none", "pay", "confirm", "terms", "availability", "meeting"] | None = None
    buying_signal_confidence: _Share | None = None
    risk: Literal["none", "legal", "refund_dispute", "self_harm", "medical", "financial", "abuse", "data_protection"] | None = None
    risk_confidence: _Share | None = None
    principle: Literal["none", "reciprocity", "commitment", "social_proof", "authority", "liking", "scarcity"] | None = None
    principle_confidence: _Share | None = None


class _Answers(Struct, frozen=True):
    signals: list[Answer]


class _FailedError(Exception):
    """Why a service did not answer, in words that hold nothing of a message."""


class ShippedReader:
    """Rules and models of `ml.signals`; the models are opened with the first message."""

    def __init__(self, models: "SignalModels") -> None:
        """Take the place of the models."""
        self._place = models
        self._models: Models | None = None

    @property
    def version(self) -> str:
        """Of tables and rules."""
        from ml.signals.tables import version

        return version()

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        """All in one pass.

        Raises:
            ModelFileError: the file of models was changed.
        """
        from ml.signals.reader import Message, read_messages  # here: scikit-learn, which only reading needs

        if not messages:
            return []
        if self._models is None:
            self._models = self._place.load()
        asked = [Message(each.text, each.at, each.is_inbound, each.timezone, each.currency, each.region) for each in messages]
        return [Heard(reader=SHIPPED, **each._asdict()) for each in read_messages(self._models, asked)]

    def troubles(self) -> Mapping[str, int]:
        """None: nobody else is asked."""
        return {}


class OutsideReader:
    """A service for some tenants' messages; another reader for all others, and where the service fails."""

    def __init__(self, client: httpx.Client, url: str, token: str | None, tenants: Collection[str], otherwise: SignalReader) -> None:
        """`tenants`: those who let their messages go out; `token`: sent as a bearer, if there is one."""
        self._client, self._url, self._tenants, self._otherwise = client, url, frozenset(tenants), otherwise
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._failures = 0
        self._troubles: Counter[str] = Counter()

    @property
    def version(self) -> str:
        """That of the other reader: what was read outside is not read again when that changes."""
        return self._otherwise.version

    def troubles(self) -> Mapping[str, int]:
        """Messages that the service did not read, by why."""
        return self._troubles

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        """Those of the tenants outside, all others and what fails by the other reader."""
        outside = [place for place, each in enumerate(messages) if each.tenant_id in self._tenants]
        heard: dict[int, Heard] = {}
        for places in _cut(outside):
            answers = self._ask([messages[place] for place in places])
            heard |= dict(zip(places, answers, strict=False))
        rest = [place for place in range(len(messages)) if place not in heard]
        heard |= dict(zip(rest, self._otherwise.read([messages[place] for place in rest]), strict=True))
        return [heard[place] for place in range(len(messages))]

    def _ask(self, messages: Sequence[Spoken]) -> list[Heard]:
        """What the service says of each; nothing where it fails, which is counted."""
        if self._failures >= _PATIENCE:
            self._troubles["given up for this run"] += len(messages)
            return []
        try:
            answers = _checked(self._posted(messages), len(messages))
        except _FailedError as error:
            self._failures += 1
            self._troubles[str(error)] += len(messages)
            return []
        self._failures = 0
        return [Heard(reader=OUTSIDE, **msgspec.structs.asdict(each)) for each in answers]

    def _posted(self, messages: Sequence[Spoken]) -> bytes:
        asked = [
            {
                "text": each.text,
                "at": each.at.isoformat(),
                "direction": "inbound" if each.is_inbound else "outbound",
                "timezone": each.timezone,
                "currency": each.currency,
            }
            for each in messages
        ]
        body = b""
        try:
            with self._client.stream("POST", self._url, json={"messages": asked}, headers=self._headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise _FailedError(f"HTTP {response.status_code}")
                for part in response.iter_bytes():
                    body += part
                    if len(body) > _LARGEST_ANSWER:
                        raise _FailedError("too long an answer")
        except httpx.HTTPError as error:
            raise _FailedError(type(error).__name__) from error
        return body


def _checked(body: bytes, count: int) -> list[Answer]:
    try:
        answers = msgspec.json.decode(body, type=_Answers).signals
    except msgspec.ValidationError as error:
        raise _FailedError("an answer of another form") from error
    except msgspec.DecodeError as error:
        raise _FailedError("no JSON") from error
    if len(answers) != count:
        raise _FailedError("another number of answers")
    return answers


class NoReader:
    """Signals are switched off: nothing is read."""

    version = OFF

    def read(self, messages: Sequence[Spoken]) -> Sequence[Heard]:
        """Never asked for any (`FolderSignals` has nothing pending for it)."""
        raise RuntimeError("signals are switched off (SIGNALS_READER=off): nothing is to be read")

    def troubles(self) -> Mapping[str, int]:
        """None."""
        return {}


def reader_of(settings: Settings, models: "SignalModels", client: httpx.Client) -> SignalReader:
    """The reader of an installation; the external one only where an address and at least one tenant are configured."""
    if not settings.signals:
        return NoReader()
    shipped = ShippedReader(models)
    if settings.signals_url is None or not settings.signals_tenants:
        return shipped
    return OutsideReader(client, settings.signals_url, settings.signals_token, settings.signals_tenants, shipped)


def _cut(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), _BATCH):
        yield places[start : start + _BATCH]
