"""The use cases of visitors and accounts: sign up, sign in, sign out."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.accounts import credentials
from upschedule.accounts.devices import DeviceRepository
from upschedule.accounts.errors import AlreadySignedUp, NoVisitor, WrongCredentials
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.logins import Login, Logins
from upschedule.accounts.random_ids import hash_of, hash_of_cookie, new_id
from upschedule.accounts.repository import Account, AccountRepository
from upschedule.accounts.sessions import KnownSession, NewSession, SessionStore
from upschedule.accounts.sign_ups import SignUpRepository
from upschedule.accounts.throttle import SignInThrottle
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


class AccountService:
    """Every method may raise StoreError. `settings` are those of the request: an operator may change limits."""

    def __init__(
        self,
        database: Database,
        sessions: SessionStore,
        logins: Logins,
        throttle: SignInThrottle,
        hashing: PasswordHashing,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._logins = logins
        self._throttle = throttle
        self._hashing = hashing
        self._now = now

    async def visitor(self, session_id: str) -> Visitor | None:
        """None for an id that is unknown, ended or malformed."""
        known = await self._sessions.find(session_id)
        return _visitor(session_id, known) if known else None

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
        """Stores a sign-up. The first sign-in turns it into an account, with all that this visitor owns.

        The outcome does not reveal whether the address has an account already (decision 15). Raises
        InvalidCredentials, AlreadySignedUp, SignInBusy.
        """
        email, password = credentials.normalised_email(email), credentials.normalised_password(password)
        credentials.validate(email, password)
        if visitor:
            await self._refuse_signed_up(visitor)
        password_hash = await self._hashing.hash(password)
        async with self._database.transaction() as connection:
            await SignUpRepository(connection).upsert(
                email=email,
                password_hash=password_hash,
                visitor_id=visitor.account_id if visitor else None,
                now=self._now(),
            )

    async def sign_in(
        self,
        *,
        email: str,
        password: str,
        client: str,
        device: str | None,
        visitor: Visitor | None,
        settings: Settings,
    ) -> SignedIn:
        """Gives session and device new ids. Raises WrongCredentials, SignInBlocked, SignInBusy."""
        email, password = credentials.normalised_email(email), credentials.normalised_password(password)
        old = hash_of_cookie(device)
        login = await self._logins.find(email, old)
        attempt = await self._throttle.begin(
            client=client, email=email, device=old if login.device_known else None, limits=settings.limits
        )
        try:
            right = await self._hashing.verify(login.password_hash, password)
        except Exception:
            await self._throttle.abandoned(attempt)
            raise
        if not right:
            await self._throttle.failed(attempt, limits=settings.limits)
            raise WrongCredentials
        await self._throttle.succeeded(attempt)
        account, begun, device = await self._enter(login, password, old=old, visitor=visitor)
        return SignedIn(
            profile=_profile(account, quota_bytes=settings.uploads.quota_bytes),
            visitor=await self._visitor_of(begun),
            device=device,
        )

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

    async def _enter(
        self, login: Login, password: str, *, old: bytes | None, visitor: Visitor | None
    ) -> tuple[Account, NewSession, str]:
        password_hash = await self._rehashed(login, password)
        device = new_id()
        async with self._database.transaction() as connection:
            account, ended = await self._logins.open(connection, login)
            if password_hash is not None:
                await AccountRepository(connection).rehash(account, password_hash)
            if visitor:
                ended += await self._sessions.end(connection, visitor.session_id)
            begun = await self._sessions.begin(connection, account.id)
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
        return _visitor(begun.session_id, await self._sessions.cache(begun))


def _profile(account: Account, *, quota_bytes: int) -> Profile:
    return Profile(
        id=account.id,
        email=account.email,
        signed_up=account.email is not None,
        stored_bytes=account.stored_bytes,
        quota_bytes=quota_bytes,
        created_at=account.created_at,
    )


def _visitor(session_id: str, known: KnownSession) -> Visitor:
    return Visitor(
        account_id=known.account_id,
        session_id=session_id,
        session_seconds=known.seconds,
        renewed=known.renewed,
    )
