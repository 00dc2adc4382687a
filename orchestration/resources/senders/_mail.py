"""Mail over SMTP: what is told to a destination `mailto:`, as plain text.

Here belong the message and which reply means what. Its Message-ID is made of the action's id, so a reader's program shows a repeat once.
Not here: mail to leads, which goes through their tenant's mailbox (`gmail`).
"""

import hashlib
import json
import re
import smtplib
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from core.actions import Outcome
from orchestration.resources.senders._tools import SenderTools

_READY_FOR_DATA = 354
_REFUSED = 400
_PERMANENT = 500
_SECONDS = 20.0


def send(tools: SenderTools, to: str, told: dict[str, Any]) -> Outcome:
    """Try once: 4xx replies pass, 5xx are final, and silence after the text went out is unknown."""
    if not tools.smtp_url:
        return Outcome("rejected", "no mail can be sent: FLEXORAA_SMTP_URL is not set")
    body = message(tools.mail_from, to, told)
    request_hash = hashlib.sha256(body).hexdigest()
    try:
        server = _connect(tools.smtp_url)
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("requested", f"not reached: {type(error).__name__}", request_sha256=request_hash)
    try:
        return _hand_over(server, parseaddr(tools.mail_from)[1], to, body, request_hash)
    finally:
        server.close()


def message(sender: str, to: str, told: dict[str, Any]) -> bytes:
    """The mail as it goes out."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, told["text"]
    mail["Message-ID"] = f"<{told['action_id']}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    rest = {name: value for name, value in told.items() if name not in {"text", "details"}} | told["details"]
    mail.set_content("\n".join([told["text"], "", *(f"{name}: {_plain(value)}" for name, value in rest.items() if value is not None)]))
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _hand_over(server: smtplib.SMTP, sender: str, to: str, body: bytes, request_hash: str) -> Outcome:
    def said(code: int, where: str) -> Outcome:
        state = "rejected" if code >= _PERMANENT else "requested"
        return Outcome(state, f"{where} was refused with {code}", code, request_sha256=request_hash)  # type: ignore[arg-type]

    try:
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
            code = server.docmd(command)[0]
            if code >= _REFUSED or (command == "DATA" and code != _READY_FOR_DATA):
                return said(code, command[:4])
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("requested", f"not reached: {type(error).__name__}", request_sha256=request_hash)
    try:
        server.send(re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
        code, reply = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("unknown", f"no answer: {type(error).__name__}", request_sha256=request_hash)
    if code >= _REFUSED:
        return said(code, "the text")
    return Outcome("sent", "accepted", code, None, request_hash, hashlib.sha256(reply).hexdigest())


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp+starttls":
            server.starttls()
            server.ehlo()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
