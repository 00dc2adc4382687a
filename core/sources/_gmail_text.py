"""The words of a mail: out of its parts, without what they quote.

Here belongs finding the text part and reading it. Not here: who wrote to whom (`_gmail_mail`).
"""

import base64
import binascii
import contextlib
import html
import re
from collections.abc import Iterator

from msgspec import Struct, field

LONGEST_TEXT = 100_000
"""Characters of a mail that are kept; what is longer is a document."""

_LONGEST_HTML = 1_000_000
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_QUOTE_START = re.compile(r"^(On .{5,200} wrote:|-{2,}\s*Original Message\s*-{2,}|Am .{5,200} schrieb .{1,100}:)\s*$", re.IGNORECASE)
_BLANKS = re.compile(r"\n{3,}")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,20})")
_LONGEST_TAG = 2_000
_DEEPEST = 100
_SILENT = frozenset({"script", "style", "head", "title", "blockquote"})
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol"})


class Header(Struct):
    """One header line."""

    name: str
    value: str = ""


class _Data(Struct):
    data: str | None = None


class Part(Struct, rename={"mime_type": "mimeType"}):
    """One part of a mail, maybe of parts itself."""

    mime_type: str = ""
    filename: str = ""
    headers: list[Header] = field(default_factory=list)
    body: _Data = field(default_factory=_Data)
    parts: list["Part"] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The first header of this name, in any case."""
        return next((each.value for each in self.headers if each.name.lower() == name), None)


class BrokenPartError(ValueError):
    """A body that is not base64url."""


def words(mail: Part) -> str | None:
    """The text of the first readable plain part, else of the first HTML part; without quoted mails.

    Raises:
        BrokenPartError: a part's data is not base64url.
    """
    leaves = [part for part in _leaves(mail) if not part.filename and part.body.data]
    for kind, read in (("text/plain", _plain), ("text/html", _html)):
        for part in leaves:
            if part.mime_type.lower() == kind and (found := read(_text(part)).strip()):
                return found[:LONGEST_TEXT]
    return None


def _leaves(mail: Part) -> Iterator[Part]:
    waiting = [(mail, 0)]
    while waiting:
        part, depth = waiting.pop()
        if part.parts and depth < _DEEPEST:
            waiting.extend((each, depth + 1) for each in reversed(part.parts))
        else:
            yield part


def _text(part: Part) -> str:
    data = part.body.data or ""
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BrokenPartError from error
    found = _CHARSET.search(part.header("content-type") or "")
    try:
        return raw.decode(found.group(1) if found else "utf-8", errors="replace")
    except (LookupError, UnicodeError):  # a charset that nobody knows, or that is no charset of text
        return raw.decode("utf-8", errors="replace")


def _plain(text: str) -> str:
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if _QUOTE_START.match(line[:400]):
            break
        if not line.startswith(">"):
            lines.append(line)
    return _BLANKS.sub("\n\n", "\n".join(lines))


def _html(text: str) -> str:
    found = "".join(_shown(text[:_LONGEST_HTML]))
    with contextlib.suppress(ValueError):  # a character reference of thousands of digits
        found = html.unescape(found)
    return _plain("\n".join(line.strip() for line in found.split("\n")))


def _shown(text: str) -> Iterator[str]:
    """What is between the tags, without scripts, styles and quoted mails (`blockquote`, Gmail's `gmail_quote`).

    One pass that never looks back: `html.parser` of Python 3.11 takes 45 s for 300 kB of `<!--`.
    """
    silent: list[str] = []
    at = 0
    while (start := text.find("<", at)) >= 0:
        if not silent:
            yield text[at:start]
        ends = "-->" if text.startswith("<!--", start) else ">"
        end = text.find(ends, start)
        if end < 0:
            return
        at = end + len(ends)
        tag = _TAG.match(text, start)
        if tag is None:
            continue
        is_end, name = bool(tag.group(1)), tag.group(2).lower()
        if silent:
            if name == silent[-1]:
                silent.pop() if is_end else silent.append(name)
        elif not is_end and (name in _SILENT or (name == "div" and "gmail_quote" in text[start : min(end, start + _LONGEST_TAG)])):
            silent.append(name)
        elif name in _BREAKS:
            yield "\n"
    if not silent:
        yield text[at:]
