"""Logins: the account of an e-mail address, or the sign-up that becomes one at the first sign-in."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from upschedule.accounts.devices import DeviceRepository
from upschedule.accounts.errors import LinkExpired, WrongCredentials
from upschedule.accounts.repository import Account, AccountRepository, AddressTaken
from upschedule.accounts.session_repository import SessionRepository
from upschedule.accounts.sign_ups import SignUp, SignUpRepository
from upschedule.stores.database import Connection, Database
from upschedule.stores.tokens import token_hash


class SignInLives(msgspec.Struct, frozen=True, kw_only=True):
    """How long a sign-up waits, a device is known after its last sign-in, and a link for a new password is valid."""

    sign_up: timedelta
    device: timedelta
    reset: timedelta


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """The account or sign-up of an address before the password is verified; both None for an unknown address."""

    account: Account | None = None
    sign_up: SignUp | None = None
    device_known: bool = False

    @property
    def password_hash(self) -> str | None:
        found = self.account or self.sign_up
        return found.password_hash if found else None


class Logins:
    """Finds logins, and opens those whose password was verified."""

    def __init__(self, database: Database, *, lives: SignInLives, now: Callable[[], datetime]) -> None:
        self._database = database
        self._lives = lives
        self._now = now

    async def find(self, email: str, device: bytes | None) -> Login:
        """`device` is the hash of the id that the browser sent. Raises StoreError."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find_by_email(email)
            # Read in any case, so that an address with an account takes as long as one without.
            since = self._now() - self._lives.sign_up
            sign_up = await SignUpRepository(connection).find(email, since=since)
            if account is None:
                return Login(sign_up=sign_up)
            seen_since = self._now() - self._lives.device
            known = device is not None and await DeviceRepository(connection).exists(
                device, account.id, since=seen_since
            )
        return Login(account=account, device_known=known)

    async def find_by_link(self, token: str) -> SignUp:
        """The sign-up that the link in a message completes. Raises LinkExpired and StoreError."""
        since = self._now() - self._lives.sign_up
        async with self._database.transaction() as connection:
            sign_up = await SignUpRepository(connection).find_by_token(token_hash(token), since=since)
        if sign_up is None:
            raise LinkExpired
        return sign_up

    async def open(self, connection: Connection, login: Login) -> tuple[Account, list[bytes]]:
        """The account, and the hashes of sessions to invalidate after the transaction.

        The first sign-in creates the account, from the visitor who signed up if there is one. That visitor's sessions
        end, since they have shown no password. Raises WrongCredentials if another request completed the sign-up.
        """
        if login.sign_up is None:
            assert login.account is not None  # noqa: S101 - a password was verified
            return login.account, []
        sign_up = await SignUpRepository(connection).delete(login.sign_up)
        if sign_up is None:
            return await self._completed_by_another(connection, login.sign_up), []
        try:
            return await self._create(connection, sign_up)
        except AddressTaken as error:
            raise WrongCredentials from error

    async def _completed_by_another(self, connection: Connection, sign_up: SignUp) -> Account:
        """The account, if another request with the same password created it a moment ago."""
        account = await AccountRepository(connection).find_by_email(sign_up.email)
        if account is None or account.password_hash != sign_up.password_hash:
            raise WrongCredentials
        return account

    async def _create(self, connection: Connection, sign_up: SignUp) -> tuple[Account, list[bytes]]:
        accounts = AccountRepository(connection)
        if sign_up.visitor_id is not None:
            ended = await SessionRepository(connection).end_all(sign_up.visitor_id, self._now())
            account = await accounts.sign_up(
                sign_up.visitor_id, email=sign_up.email, password_hash=sign_up.password_hash
            )
            if account is not None:
                return account, ended
        return await accounts.create(email=sign_up.email, password_hash=sign_up.password_hash), []
