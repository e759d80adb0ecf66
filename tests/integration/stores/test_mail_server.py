"""Sending messages through a real mail server with TLS and a password."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.cluster.tooling.authority import self_signed
from tests.support.mailbox import PASSWORD, USER, Mailbox, receiving_mail
from upschedule.operations.embedded.ports import LOOPBACK
from upschedule.settings import MailSettings
from upschedule.stores.errors import StoreUnavailable
from upschedule.stores.mail_server import MailServer, MessageRefused


def _message(to: str = "student@example.org") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "A link", "no-reply@example.org", to
    message.set_content("Here it is.")
    return message


def _server(mailbox: Mailbox, *, security: str = "starttls", password: str = PASSWORD) -> MailServer:
    secure = security != "none"
    return MailServer(
        MailSettings(
            host="localhost" if secure else LOOPBACK,
            port=mailbox.port,
            security="starttls" if secure else "none",
            user=USER if secure else "",
            password=password,
            step_seconds=5,
        )
    )


async def test_a_message_goes_by_starttls_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is sent only with the right password and to a server whose certificate is trusted."""
    certificate = self_signed(tmp_path, "mail", "DNS:localhost")
    with receiving_mail(certificate) as mailbox:
        with pytest.raises(StoreUnavailable):
            await _server(mailbox).send(_message())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
        with pytest.raises(StoreUnavailable):
            await _server(mailbox, password="wrong").send(_message())
        assert mailbox.arrived == []
        await _server(mailbox).send(_message())
    assert [text.split() for text in mailbox.texts("student@example.org")] == [["A", "link", "Here", "it", "is."]]


async def test_a_permanent_refusal_is_distinguished_from_a_temporary_one() -> None:
    """A permanent refusal is not retried."""
    with receiving_mail(None) as mailbox:
        mailbox.unknown.add("gone@example.org")
        server = _server(mailbox, security="none")
        with pytest.raises(MessageRefused) as refused:
            await server.send(_message("gone@example.org"))
        assert refused.value.code == 550
        await server.send(_message())
    with pytest.raises(StoreUnavailable):
        await server.send(_message())
