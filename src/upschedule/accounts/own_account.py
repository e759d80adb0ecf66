"""Use cases of an account's owner: sessions, the password, and deleting the account."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.accounts import credentials
from upschedule.accounts.errors import NoVisitor
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.logins import Logins
from upschedule.accounts.mail_repository import MailRepository
from upschedule.accounts.password_check import PasswordCheck
from upschedule.accounts.password_resets import PasswordResetRepository
from upschedule.accounts.random_ids import hash_of, hash_of_cookie
from upschedule.accounts.repository import Account, AccountRepository
from upschedule.accounts.service import Visitor, visitor_of
from upschedule.accounts.session_repository import SessionRepository
from upschedule.accounts.sessions import SessionStore
from upschedule.accounts.sign_ups import SignUpRepository
from upschedule.settings import LimitSettings
from upschedule.stores.database import Database

DeleteDocuments = Callable[[UUID], Awaitable[None]]


class OwnSession(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in. `reference` names it in a form and cannot be used as a cookie."""

    reference: str
    browser: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The password that a change asks for again, and from where it is sent. `device` is the device cookie's value."""

    password: str
    client: str
    device: str | None
    limits: LimitSettings

    def __repr__(self) -> str:
        """Leaves out the values, since an error's traceback may print it."""
        return "Proof(…)"


class OwnAccount:
    """Every method may raise StoreError, and NoVisitor if the account is gone."""

    def __init__(
        self,
        database: Database,
        sessions: SessionStore,
        logins: Logins,
        passwords: PasswordCheck,
        hashing: PasswordHashing,
        *,
        delete_documents: DeleteDocuments,
        now: Callable[[], datetime],
    ) -> None:
        """`delete_documents` deletes the documents of an account with their files."""
        self._database = database
        self._sessions = sessions
        self._logins = logins
        self._passwords = passwords
        self._hashing = hashing
        self._delete_documents = delete_documents
        self._now = now

    async def sessions(self, visitor: Visitor) -> tuple[OwnSession, ...]:
        """The sessions of the account, the most recently used first."""
        current = hash_of(visitor.session_id)
        async with self._database.transaction() as connection:
            found = await self._sessions.of_account(connection, visitor.account_id)
        return tuple(
            OwnSession(
                reference=session.id_hash.hex(),
                browser=session.browser,
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                current=session.id_hash == current,
            )
            for session in found
        )

    async def end_session(self, visitor: Visitor, reference: str) -> None:
        """Ends a session of the same account. A reference to any other session changes nothing."""
        try:
            id_hash = bytes.fromhex(reference)
        except ValueError:
            return
        async with self._database.transaction() as connection:
            ended = await SessionRepository(connection).end_owned(visitor.account_id, id_hash, self._now())
        await self._sessions.invalidate(ended)

    async def end_other_sessions(self, visitor: Visitor) -> None:
        """Ends all sessions of the account but this one."""
        async with self._database.transaction() as connection:
            ended = await SessionRepository(connection).end_all(
                visitor.account_id, self._now(), besides=hash_of(visitor.session_id)
            )
        await self._sessions.invalidate(ended)

    async def change_password(self, visitor: Visitor, new_password: str, *, proof: Proof) -> Visitor:
        """Ends all sessions, and begins a new one here.

        Raises InvalidCredentials for the new password, and what PasswordCheck raises for the old one.
        """
        account = await self._account(visitor)
        email, new_password = account.email or "", credentials.normalised_password(new_password)
        await self._prove(account, proof)
        credentials.check_password(email, new_password)
        password_hash = await self._hashing.rehash(new_password)
        browser = next((session.browser for session in await self.sessions(visitor) if session.current), "")
        async with self._database.transaction() as connection:
            await AccountRepository(connection).change_password(account.id, password_hash)
            await PasswordResetRepository(connection).delete_all(account.id)
            ended = await SessionRepository(connection).end_all(account.id, self._now())
            begun = await self._sessions.begin(connection, account.id, browser=browser)
        await self._sessions.invalidate(ended)
        return visitor_of(begun.session_id, await self._sessions.cache(begun))

    async def delete(self, visitor: Visitor, *, proof: Proof | None) -> None:
        """Deletes the account and everything that belongs to it. May be repeated where it was interrupted.

        A visitor who has not signed up has no password to prove. Raises what PasswordCheck raises.
        """
        account = await self._account(visitor)
        if account.email is not None:
            if proof is None:
                raise NoVisitor
            await self._prove(account, proof)
        await self._delete_documents(account.id)
        async with self._database.transaction() as connection:
            ended = await SessionRepository(connection).end_all(account.id, self._now())
            if account.email is not None:
                await SignUpRepository(connection).forget(account.email)
                await MailRepository(connection).forget(account.email)
            await AccountRepository(connection).delete(account.id)
        await self._sessions.invalidate(ended)

    async def _account(self, visitor: Visitor) -> Account:
        async with self._database.transaction() as connection:
            account = await AccountRepository(connection).find(visitor.account_id)
        if account is None:
            raise NoVisitor
        return account

    async def _prove(self, account: Account, proof: Proof) -> None:
        email, device = account.email or "", hash_of_cookie(proof.device)
        login = await self._logins.find(email, device)
        await self._passwords.check(
            login,
            email=email,
            password=credentials.normalised_password(proof.password),
            client=proof.client,
            device=device,
            limits=proof.limits,
        )
