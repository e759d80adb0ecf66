"""The mail server that takes messages to people: one connection for each message, in a thread, with a bound on time."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from upschedule.settings import MailSettings
from upschedule.stores.errors import StoreTimeout, StoreUnavailable

_STORE = "mail"
# Answers by which a server refuses this message for good (RFC 5321, 4.2.1).
_PERMANENT = range(500, 600)


class MessageRefused(Exception):
    """The server does not take this message, now or later. `code` is its answer, which names no address."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class MailServer:
    """The server of the settings. Its certificate is verified against the authorities of the system."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage) -> None:
        """Returns once the server has taken the message. Raises MessageRefused, and StoreError for a later attempt."""
        try:
            await asyncio.to_thread(self._send, message)
        except TimeoutError as error:
            raise StoreTimeout(_STORE, type(error).__name__) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _refused(codes[0], error) from error
        except smtplib.SMTPResponseException as error:
            # A wrong password is the operator's to mend, and no fault of the message.
            if isinstance(error, smtplib.SMTPAuthenticationError):
                raise StoreUnavailable(_STORE, type(error).__name__) from error
            raise _refused(error.smtp_code, error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise StoreUnavailable(_STORE, type(error).__name__) from error

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        # The time is a bound of each step: connecting, and every answer.
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.step_seconds, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.step_seconds)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password)
            server.send_message(message)


def _refused(code: int, error: smtplib.SMTPException) -> Exception:
    return MessageRefused(code) if code in _PERMANENT else StoreUnavailable(_STORE, type(error).__name__)
