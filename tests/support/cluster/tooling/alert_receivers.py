"""What alerts arrive at: a mail server with TLS and a password, and a receiver of webhooks."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def texts(self, to: str) -> list[str]:
        """Subject and text of each mail to this address."""
        return [f"{mail['Subject']}\n{_plain(mail)}" for _, recipients, mail in self.arrived if to in recipients]

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
def receiving_mail(certificate: Certificate | None) -> Iterator[Mailbox]:
    """With a certificate it wants STARTTLS, user and password; without one neither."""
    mailbox = Mailbox()
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


class Hooks:
    """Every message of Alertmanager by path, with the time by `time.monotonic`."""

    def __init__(self) -> None:
        arrived = self.arrived = list[tuple[float, str, dict[str, Any]]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                arrived.append((time.monotonic(), self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Writes nothing."""

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.server.server_port}{path}"

    def statuses(self, path: str, alert: str) -> list[str]:
        """Of each message on the path that has the alert."""
        return [body["status"] for _, at, body in self.arrived if at == path and _names(body) == {alert}]

    def names(self, path: str) -> set[str]:
        """Of the alerts of all messages on the path."""
        return set[str]().union(*(_names(body) for _, at, body in self.arrived if at == path))


def _names(body: dict[str, Any]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in body["alerts"]}


@contextmanager
def receiving_hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    thread = threading.Thread(target=hooks.server.serve_forever)
    thread.start()
    try:
        yield hooks
    finally:
        hooks.server.shutdown()
        hooks.server.server_close()
        thread.join()
