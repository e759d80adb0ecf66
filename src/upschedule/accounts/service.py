"""Visitors, signing up, in and out."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.accounts import credentials
from upschedule.accounts.errors import AlreadySignedUp, EmailNotAvailable, NoVisitor, WrongCredentials
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.repository import Account, AccountRepository
from upschedule.accounts.sessions import KnownSession, NewSession, SessionStore
from upschedule.accounts.throttle import SignInThrottle
from upschedule.stores.database import Database


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """The account, with or without a password, whose session this is. `session_seconds` are left of its life."""

    account_id: UUID
    session_id: str
    session_seconds: int
    renewed: bool = False


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an account shows of itself."""

    id: UUID
    email: str | None
    signed_up: bool
    stored_bytes: int
    quota_bytes: int
    created_at: datetime


class AccountService:
    """Every method may raise StoreError."""

    def __init__(
        self,
        database: Database,
        sessions: SessionStore,
        throttle: SignInThrottle,
        hashing: PasswordHashing,
        *,
        quota_bytes: Callable[[], int],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._throttle = throttle
        self._hashing = hashing
        self._quota_bytes = quota_bytes

    async def visitor(self, session_id: str) -> Visitor | None:
        """None for an id that is unknown, ended or made up."""
        known = await self._sessions.find(session_id)
        return _visitor(session_id, known) if known else None

    async def create_visitor(self) -> Visitor:
        """An account without a password and its session: for the first thing that must be remembered."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).create()
            begun = await self._sessions.begin(connection, account.id)
        return await self._entered(begun)

    async def forget_visitor(self, visitor: Visitor) -> None:
        """Takes back `create_visitor` where there was nothing to remember after all."""
        async with self._database.transaction() as connection:
            ended = await self._sessions.end(connection, visitor.session_id)
            await AccountRepository(connection).forget_visitor(visitor.account_id)
        await self._sessions.forget(ended)

    async def profile(self, visitor: Visitor) -> Profile:
        """Raises NoVisitor where the account is gone."""
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find(visitor.account_id)
        if account is None:
            raise NoVisitor
        return self._profile(account)

    async def sign_up(
        self, *, email: str, password: str, client: str, visitor: Visitor | None
    ) -> tuple[Profile, Visitor]:
        """The visitor becomes the account and keeps all it made; its session gets a new id.

        Raises InvalidCredentials, EmailNotAvailable, AlreadySignedUp, SignInBlocked. An address that is taken counts
        as a failed sign-in of this client, or anybody could try out who has an account.
        """
        email, password = credentials.normalised_email(email), credentials.normalised_password(password)
        credentials.check(email, password)
        await self._throttle.reserve(client=client)
        try:
            password_hash = await self._hashing.hash(password)
            account = await self._register(email, password_hash, visitor)
        except EmailNotAvailable:
            raise
        except BaseException:
            await self._throttle.succeeded(client=client)
            raise
        await self._throttle.succeeded(client=client)
        return self._profile(account), await self._enter(account, instead_of=visitor)

    async def sign_in(
        self, *, email: str, password: str, client: str, visitor: Visitor | None
    ) -> tuple[Profile, Visitor]:
        """The session gets a new id. Raises WrongCredentials, SignInBlocked, SignInBusy."""
        email, password = credentials.normalised_email(email), credentials.normalised_password(password)
        await self._throttle.reserve(client=client, email=email)
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find_by_email(email)
        right = await self._hashing.verify(account.password_hash if account else None, password)
        if account is None or not right:
            raise WrongCredentials
        await self._throttle.succeeded(client=client, email=email)
        await self._strengthen(account, password)
        return self._profile(account), await self._enter(account, instead_of=visitor)

    async def sign_out(self, session_id: str) -> None:
        """Once it returns, no instance knows the session. A session that is not there counts as ended."""
        async with self._database.transaction() as connection:
            ended = await self._sessions.end(connection, session_id)
        await self._sessions.forget(ended)

    async def _register(self, email: str, password_hash: str, visitor: Visitor | None) -> Account:
        async with self._database.transaction() as connection:
            accounts = AccountRepository(connection)
            if visitor is None:
                return await accounts.create(email=email, password_hash=password_hash)
            account = await accounts.sign_up(visitor.account_id, email=email, password_hash=password_hash)
            if account is None:
                raise AlreadySignedUp
            return account

    async def _strengthen(self, account: Account, password: str) -> None:
        if account.password_hash and self._hashing.is_outdated(account.password_hash):
            password_hash = await self._hashing.hash(password)
            async with self._database.transaction() as connection:
                await AccountRepository(connection).rehash(account, password_hash)

    async def _enter(self, account: Account, *, instead_of: Visitor | None = None) -> Visitor:
        async with self._database.transaction() as connection:
            begun = await self._sessions.begin(connection, account.id)
            ended = await self._sessions.end(connection, instead_of.session_id) if instead_of else []
        await self._sessions.forget(ended)
        return await self._entered(begun)

    async def _entered(self, begun: NewSession) -> Visitor:
        return _visitor(begun.session_id, await self._sessions.publish(begun))

    def _profile(self, account: Account) -> Profile:
        return Profile(
            id=account.id,
            email=account.email,
            signed_up=account.email is not None,
            stored_bytes=account.stored_bytes,
            quota_bytes=self._quota_bytes(),
            created_at=account.created_at,
        )


def _visitor(session_id: str, known: KnownSession) -> Visitor:
    return Visitor(
        account_id=known.account_id,
        session_id=session_id,
        session_seconds=known.seconds,
        renewed=known.renewed,
    )
