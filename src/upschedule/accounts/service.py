"""The use cases of visitors and accounts: sign up, sign in, sign out."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.accounts import credentials
from upschedule.accounts.devices import DeviceRepository
from upschedule.accounts.errors import AlreadySignedUp, NoVisitor
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.logins import Login, Logins
from upschedule.accounts.mailer import Mailer
from upschedule.accounts.password_check import PasswordCheck
from upschedule.accounts.random_ids import hash_of, hash_of_cookie, new_id
from upschedule.accounts.repository import Account, AccountRepository
from upschedule.accounts.sessions import KnownSession, NewSession, SessionStore
from upschedule.accounts.sign_ups import SignUpRepository
from upschedule.settings import Settings
from upschedule.stores.database import Database


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a session, with or without a password. `session_seconds` of the session's lifetime are left."""

    account_id: UUID
    session_id: str
    session_seconds: int
    renewed: bool = False


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The data of an account that its owner sees."""

    id: UUID
    email: str | None
    signed_up: bool
    stored_bytes: int
    quota_bytes: int
    created_at: datetime


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """`device` is the value of the device cookie."""

    profile: Profile
    visitor: Visitor
    device: str


class _Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A person who gives a password, and the browser from which they do."""

    password: str
    client: str
    device: str | None
    browser: str
    visitor: Visitor | None

    def __repr__(self) -> str:
        """Leaves out the password, since an error's traceback may print it."""
        return "_Arrival(…)"


class AccountService:
    """Every method may raise StoreError. `settings` are those of the request: an operator may change limits."""

    def __init__(
        self,
        database: Database,
        sessions: SessionStore,
        logins: Logins,
        passwords: PasswordCheck,
        hashing: PasswordHashing,
        *,
        mailer: Mailer | None,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._logins = logins
        self._passwords = passwords
        self._hashing = hashing
        self._mailer = mailer
        self._now = now

    async def visitor(self, session_id: str) -> Visitor | None:
        """None for an id that is unknown, ended or malformed."""
        known = await self._sessions.find(session_id)
        return visitor_of(session_id, known) if known else None

    async def create_visitor(self) -> Visitor:
        """Creates an account without a password, and its session, when there is first something to store."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).create()
            begun = await self._sessions.begin(connection, account.id)
        return await self._visitor_of(begun)

    async def forget_visitor(self, visitor: Visitor) -> None:
        """Undoes `create_visitor` if there was nothing to store after all."""
        async with self._database.transaction() as connection:
            ended = await self._sessions.end(connection, visitor.session_id)
            await AccountRepository(connection).delete_visitor(visitor.account_id)
        await self._sessions.invalidate(ended)

    async def profile(self, visitor: Visitor, *, settings: Settings) -> Profile:
        """Raises NoVisitor if the account is gone."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find(visitor.account_id)
        if account is None:
            raise NoVisitor
        return _profile(account, quota_bytes=settings.uploads.quota_bytes)

    async def sign_up(self, *, email: str, password: str, visitor: Visitor | None) -> None:
        """Stores a sign-up, which becomes an account with all that this visitor owns.

        The link that is sent to the address completes it, or the first sign-in where no mail is sent.

        The outcome does not reveal whether the address has an account already (decision 15). Raises
        InvalidCredentials, AlreadySignedUp, SignInBusy.
        """
        email, password = credentials.normalised_email(email), credentials.normalised_password(password)
        credentials.validate(email, password)
        if visitor:
            await self._refuse_signed_up(visitor)
        password_hash = await self._hashing.hash(password)
        mail_id, token_hash = self._mailer.new_link() if self._mailer else (None, None)
        async with self._database.transaction() as connection:
            await SignUpRepository(connection).upsert(
                email=email,
                password_hash=password_hash,
                visitor_id=visitor.account_id if visitor else None,
                token_hash=token_hash,
                now=self._now(),
            )
            if self._mailer and mail_id:
                await self._mailer.queue(connection, mail_id, "sign-up", email)
        if self._mailer:
            self._mailer.wake()

    async def sign_in(
        self,
        *,
        email: str,
        password: str,
        client: str,
        device: str | None,
        browser: str,
        visitor: Visitor | None,
        settings: Settings,
    ) -> SignedIn:
        """Gives session and device new ids. `browser` names the session in the list of its owner.

        Raises WrongCredentials, SignInBlocked, SignInBusy.
        """
        email = credentials.normalised_email(email)
        login = await self._logins.find(email, hash_of_cookie(device))
        arrival = _Arrival(password=password, client=client, device=device, browser=browser, visitor=visitor)
        return await self._let_in(login, email, arrival, settings)

    async def address_to_confirm(self, token: str) -> str:
        """The address of the sign-up that the link in a message completes. Raises LinkExpired."""
        return (await self._logins.find_by_link(token)).email

    async def confirm(
        self,
        *,
        token: str,
        password: str,
        client: str,
        device: str | None,
        browser: str,
        visitor: Visitor | None,
        settings: Settings,
    ) -> SignedIn:
        """Makes the account of the sign-up that the link in a message completes, and signs in.

        The link shows who reads the mail of the address, the password who signed up: another person may have done so
        with this address. Raises LinkExpired and what `sign_in` raises.
        """
        sign_up = await self._logins.find_by_link(token)
        arrival = _Arrival(password=password, client=client, device=device, browser=browser, visitor=visitor)
        return await self._let_in(Login(sign_up=sign_up), sign_up.email, arrival, settings)

    async def sign_out(self, session_id: str) -> None:
        """Ends the session for all instances before it returns. An unknown session counts as ended."""
        async with self._database.transaction() as connection:
            ended = await self._sessions.end(connection, session_id)
        await self._sessions.invalidate(ended)

    async def _refuse_signed_up(self, visitor: Visitor) -> None:
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find(visitor.account_id)
        if account is not None and account.email is not None:
            raise AlreadySignedUp

    async def _let_in(self, login: Login, email: str, arrival: _Arrival, settings: Settings) -> SignedIn:
        password = credentials.normalised_password(arrival.password)
        await self._passwords.check(
            login,
            email=email,
            password=password,
            client=arrival.client,
            device=hash_of_cookie(arrival.device),
            limits=settings.limits,
        )
        account, begun, device = await self._enter(login, password, arrival)
        return SignedIn(
            profile=_profile(account, quota_bytes=settings.uploads.quota_bytes),
            visitor=await self._visitor_of(begun),
            device=device,
        )

    async def _enter(self, login: Login, password: str, arrival: _Arrival) -> tuple[Account, NewSession, str]:
        old, visitor = hash_of_cookie(arrival.device), arrival.visitor
        password_hash = await self._rehashed(login, password)
        device = new_id()
        async with self._database.transaction() as connection:
            account, ended = await self._logins.open(connection, login)
            if password_hash is not None:
                await AccountRepository(connection).rehash(account, password_hash)
            if visitor:
                ended += await self._sessions.end(connection, visitor.session_id)
            begun = await self._sessions.begin(connection, account.id, browser=arrival.browser)
            await DeviceRepository(connection).upsert(
                old=old, new=hash_of(device), account_id=account.id, now=self._now()
            )
        await self._sessions.invalidate(ended)
        return account, begun, device

    async def _rehashed(self, login: Login, password: str) -> str | None:
        """A new hash if the stored one was computed with outdated parameters, else None."""
        if login.account is None or not login.password_hash or not self._hashing.is_outdated(login.password_hash):
            return None
        return await self._hashing.rehash(password)

    async def _visitor_of(self, begun: NewSession) -> Visitor:
        return visitor_of(begun.session_id, await self._sessions.cache(begun))


def _profile(account: Account, *, quota_bytes: int) -> Profile:
    return Profile(
        id=account.id,
        email=account.email,
        signed_up=account.email is not None,
        stored_bytes=account.stored_bytes,
        quota_bytes=quota_bytes,
        created_at=account.created_at,
    )


def visitor_of(session_id: str, known: KnownSession) -> Visitor:
    """The visitor whose cookie holds this session."""
    return Visitor(
        account_id=known.account_id,
        session_id=session_id,
        session_seconds=known.seconds,
        renewed=known.renewed,
    )
