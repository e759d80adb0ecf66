"""What an e-mail address and a password lead to: an account, or a sign-up that becomes one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from upschedule.accounts.device_repository import DeviceRepository
from upschedule.accounts.errors import WrongCredentials
from upschedule.accounts.repository import Account, AccountRepository, AddressTaken
from upschedule.accounts.sessions import SessionStore
from upschedule.accounts.sign_up_repository import SignUp, SignUpRepository
from upschedule.stores.database import Connection, Database


class SignInLives(msgspec.Struct, frozen=True, kw_only=True):
    """How long a sign-up waits for its first sign-in, and how long a device is known after its last one."""

    sign_up: timedelta
    device: timedelta


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """The account or sign-up of an address, before its password is checked; both None for an unknown address."""

    account: Account | None = None
    sign_up: SignUp | None = None
    device_known: bool = False

    @property
    def password_hash(self) -> str | None:
        found = self.account or self.sign_up
        return found.password_hash if found else None


class Logins:
    """Finds logins and opens those whose password was right."""

    def __init__(
        self, database: Database, sessions: SessionStore, *, lives: SignInLives, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._lives = lives
        self._now = now

    async def find(self, email: str, device: bytes | None) -> Login:
        """`device`: the hash of the id that the browser sent. Raises StoreError."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find_by_email(email)
            # Asked for in any case: an address with an account takes as long as one without.
            since = self._now() - self._lives.sign_up
            sign_up = await SignUpRepository(connection).find(email, since=since)
            if account is None:
                return Login(sign_up=sign_up)
            known = device is not None and await self._knows(connection, device, account)
        return Login(account=account, device_known=known)

    async def open(self, connection: Connection, login: Login) -> tuple[Account, list[bytes]]:
        """The account, and hashes of sessions to forget after the transaction.

        The first sign-in makes the account, of the visitor who signed up where there is one: what knew the visitor
        before has shown no password and does not know the account. Raises WrongCredentials where another was quicker.
        """
        if login.sign_up is None:
            assert login.account is not None  # noqa: S101 - a password was right
            return login.account, []
        sign_up = await SignUpRepository(connection).take(login.sign_up)
        if sign_up is None:
            return await self._same(connection, login.sign_up), []
        try:
            return await self._make(connection, sign_up)
        except AddressTaken as error:
            raise WrongCredentials from error

    async def remember(self, connection: Connection, account: Account, *, old: bytes | None, new: bytes) -> None:
        """The device, under its new id."""
        await DeviceRepository(connection).remember(old=old, new=new, account_id=account.id, now=self._now())

    async def _knows(self, connection: Connection, device: bytes, account: Account) -> bool:
        return await DeviceRepository(connection).knows(device, account.id, since=self._now() - self._lives.device)

    async def _same(self, connection: Connection, sign_up: SignUp) -> Account:
        """Another request with the same password made the account a moment ago."""
        account = await AccountRepository(connection).find_by_email(sign_up.email)
        if account is None or account.password_hash != sign_up.password_hash:
            raise WrongCredentials
        return account

    async def _make(self, connection: Connection, sign_up: SignUp) -> tuple[Account, list[bytes]]:
        accounts = AccountRepository(connection)
        if sign_up.visitor_id is not None:
            ended = await self._sessions.end_all(connection, sign_up.visitor_id)
            account = await accounts.sign_up(
                sign_up.visitor_id, email=sign_up.email, password_hash=sign_up.password_hash
            )
            if account is not None:
                return account, ended
        return await accounts.create(email=sign_up.email, password_hash=sign_up.password_hash), []
