"""A mail server that keeps what arrives, with or without TLS and a password."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.cluster.tooling.authority import Certificate
from upschedule.operations.embedded.ports import LOOPBACK, free_port

USER = "alerts"
PASSWORD = "mail-5d07"


class Mailbox:
    """Every mail that arrived, with the time by `time.monotonic`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.arrived: list[tuple[float, list[str], EmailMessage]] = []
        #: Addresses that the server does not take mail for.
        self.unknown: set[str] = set()

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def texts(self, to: str) -> list[str]:
        """Subject and text of each mail to this address."""
        return [f"{mail['Subject']}\n{_plain(mail)}" for _, recipients, mail in self.arrived if to in recipients]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by the server."""
        del server, session
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by the server."""
        del server, session
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.arrived.append((time.monotonic(), list(envelope.rcpt_tos), mail))
        return "250 OK"


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    return body.get_content()


@contextmanager
def receiving_mail(certificate: Certificate | None, mailbox: Mailbox | None = None) -> Iterator[Mailbox]:
    """With a certificate it wants STARTTLS, user and password; without one neither.

    A mailbox that is given may have been without a server until now.
    """
    mailbox = mailbox or Mailbox()
    options: dict[str, Any] = {}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        options = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": _accepted,
            # Its questions in LOGIN are not those that Alertmanager knows.
            "auth_exclude_mechanism": ["LOGIN"],
        }
    controller = Controller(mailbox, hostname=LOOPBACK, port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def _accepted(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    del server, session, envelope, mechanism
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known)
