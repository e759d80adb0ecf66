"""Sends messages to people: they are queued in a transaction, and the API's processes send them afterwards.

The link in a message is derived from the message's id, so that PostgreSQL holds only the hash of what it opens.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from uuid import UUID

import msgspec
import structlog

from upschedule.accounts import mail_texts
from upschedule.accounts.mail_repository import Kind, Mail, MailRepository
from upschedule.accounts.repository import AccountRepository
from upschedule.backoff import Backoff, jittered
from upschedule.metrics import MAILS
from upschedule.settings import MailSettings
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreError
from upschedule.stores.mail_server import MailServer, MessageRefused
from upschedule.stores.tokens import derived_token, token_hash

# An attempt takes fewer steps than this: connecting, greeting, encryption, sign-in, sender, recipient, text, end.
_STEPS_MAX = 16
_BACKOFF_SECONDS_MAX = 900.0

_log = structlog.stdlib.get_logger("upschedule.accounts")


class MailOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for the links in messages. `secret` is the key that also derives feed addresses."""

    secret: str
    public_url: str
    sign_up_hours: int

    def __repr__(self) -> str:
        """Leaves out the secret."""
        return "MailOptions(…)"


class Mailer:
    """One instance for each process."""

    def __init__(
        self,
        database: Database,
        server: MailServer,
        settings: MailSettings,
        options: MailOptions,
        *,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._server = server
        self._settings = settings
        self._options = options
        self._new_id = new_id
        self._now = now
        self._roll = roll
        self._backoff = Backoff(base_seconds=settings.retry_seconds_base, max_seconds=_BACKOFF_SECONDS_MAX)
        self._queued = asyncio.Event()

    def new_link(self) -> tuple[UUID, bytes]:
        """The id of a message that is about to be queued, and the hash of the token in its link."""
        mail_id = self._new_id()
        return mail_id, token_hash(self._token(mail_id))

    async def queue(self, connection: Connection, mail_id: UUID, kind: Kind, email: str) -> None:
        """Runs in the caller's transaction; call `wake` after it. Raises StoreError."""
        await MailRepository(connection).insert(mail_id, kind, email, self._now())

    def wake(self) -> None:
        """A message was queued: `run` does not wait for its next look."""
        self._queued.set()

    async def run(self) -> None:
        """Sends what is due, until cancelled. An error ends only one round."""
        while True:
            self._queued.clear()
            try:
                await self.send_due()
            except StoreError as error:
                _log.warning("round_interrupted", round="mail", store=error.store, reason=error.reason)
            except Exception:  # noqa: BLE001 - a defect in one round must not end all later ones
                _log.exception("round_failed", round="mail")
            with suppress(TimeoutError):
                async with asyncio.timeout(jittered(self._settings.poll_seconds, 0.1, self._roll())):
                    await self._queued.wait()

    async def send_due(self) -> None:
        """Every message that is due, one after the other. A message whose process dies is sent again later."""
        while True:
            async with self._database.transaction() as connection:
                until = self._now() + timedelta(seconds=_STEPS_MAX * self._settings.step_seconds)
                mail = await MailRepository(connection).claim(self._now(), until=until)
            if mail is None:
                return
            await self._send(mail)

    async def _send(self, mail: Mail) -> None:
        try:
            await self._server.send(await self._message(mail))
        except MessageRefused as error:
            _log.warning("mail_refused", kind=mail.kind, code=error.code)
            await self._ended(mail, "refused")
        except StoreError as error:
            if error.store != "mail":
                raise
            _log.warning("mail_not_sent", kind=mail.kind, attempt=mail.attempts, reason=error.reason)
            await self._failed(mail)
        else:
            await self._ended(mail, "sent")

    async def _failed(self, mail: Mail) -> None:
        if mail.attempts >= self._settings.attempts_max:
            await self._ended(mail, "given-up")
            return
        MAILS.labels(outcome="failed").inc()
        pause = timedelta(seconds=self._backoff.pause_seconds(mail.attempts, self._roll()))
        async with self._database.transaction() as connection:
            await MailRepository(connection).postpone(mail.id, self._now() + pause)

    async def _ended(self, mail: Mail, outcome: str) -> None:
        MAILS.labels(outcome=outcome).inc()
        async with self._database.transaction() as connection:
            await MailRepository(connection).delete(mail.id)

    async def _message(self, mail: Mail) -> EmailMessage:
        message = await self._text(mail)
        message["From"] = self._settings.sender
        message["To"] = mail.email
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = make_msgid(str(mail.id), domain=self._settings.sender.rpartition("@")[2] or None)
        return message

    async def _text(self, mail: Mail) -> EmailMessage:
        public_url, token = self._options.public_url, self._token(mail.id)
        if mail.kind == "reset":
            link = f"{public_url}/account/reset/{token}"
            return mail_texts.reset(link, public_url=public_url, minutes=self._settings.reset_minutes)
        # Whether there is an account is asked here, and not while the person waits for the answer.
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find_by_email(mail.email)
        if account is not None:
            return mail_texts.has_account(public_url=public_url)
        link = f"{public_url}/account/confirm/{token}"
        return mail_texts.confirmation(link, public_url=public_url, hours=self._options.sign_up_hours)

    def _token(self, mail_id: UUID) -> str:
        return derived_token(self._options.secret, f"mail:{mail_id}")
