"""Changes to pages, media and forms: comments, mentions, leads of a form.

Here belongs what a change says that is no message. Not here: messages, which the newer Instagram API sends as changes too (`_meta`).
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from core.events import AccountEvent, ContactEvent, Reject
from core.sources._common import Id, decode_json, digest, identifier, moment, within
from core.sources._meta_scope import Scope, Told


class _From(Struct):
    id: Id | None = None


class _Comment(Struct, rename={"sender": "from"}):
    id: Id | None = None
    comment_id: Id | None = None
    text: str | None = None
    sender: _From | None = None
    media_id: Id | None = None


class _Form(Struct):
    leadgen_id: Id
    created_time: Id | None = None


_COMMENT = msgspec.json.Decoder(_Comment)
_FORM = msgspec.json.Decoder(_Form)


def _comment(kind: str, field: str) -> Callable[[Scope, Raw, str], Told]:
    def comment(scope: Scope, raw: Raw, place: str) -> Told:
        """A word in public: whose, where Meta says so; else only that there is one to be fetched."""
        item = decode_json(_COMMENT, raw, scope.account_id)
        if isinstance(item, Reject):
            yield within(item, place)
            return
        if scope.time is None:
            yield _untimed(scope, place)
            return
        subject = item.comment_id or item.id or item.media_id
        source = scope.channel.source
        own = f"{source}:{field}:{subject}" if subject else f"{source}:{field}:{scope.account_id}:{scope.told_time}:{digest(bytes(raw))}"
        contact = scope.person(item.sender.id) if item.sender else None
        if contact is None:
            yield _account_event(scope, own, scope.time, field, subject)
            return
        yield ContactEvent(
            source=source,
            account_id=scope.account_id,
            event_id=own,
            occurred_at=scope.time,
            kind="commented" if kind == "commented" else "mentioned",
            contact=contact,
            text=item.text or None,
        )

    return comment


def _leadgen(scope: Scope, raw: Raw, place: str) -> Told:
    """Somebody filled in a form of ours: only the id to fetch it by, nobody is named."""
    item = decode_json(_FORM, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    at = moment(item.created_time) if item.created_time is not None else scope.time
    if at is None:
        yield _untimed(scope, place)
        return
    yield _account_event(scope, f"{scope.channel.source}:leadgen:{item.leadgen_id}", at, "leadgen", item.leadgen_id)


def _account_event(scope: Scope, event_id: str, at: datetime, kind: str, subject: Id | None) -> AccountEvent:
    return AccountEvent(
        source=scope.channel.source,
        account_id=scope.account_id,
        event_id=event_id,
        occurred_at=at,
        kind=kind,
        subject=identifier(subject),
    )


def _untimed(scope: Scope, place: str) -> Reject:
    return Reject("bad_time", place, "neither the change nor its entry has a time", scope.account_id)


CHANGES: dict[str, Callable[[Scope, Raw, str], Told]] = {
    "comments": _comment("commented", "comments"),
    "live_comments": _comment("commented", "live_comments"),
    "mentions": _comment("mentioned", "mentions"),
    "leadgen": _leadgen,
}
"""By field."""
