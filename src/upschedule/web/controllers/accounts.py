"""Signing up, in and out."""

from litestar import Controller, delete, get, post

from upschedule.accounts.errors import (
    AlreadySignedUp,
    EmailNotAvailable,
    InvalidCredentials,
    NoVisitor,
    SignInBlocked,
    SignInBusy,
    WrongCredentials,
)
from upschedule.accounts.service import AccountService, Profile, Visitor
from upschedule.web.client import ClientAddresses
from upschedule.web.guards import THROUGH_MAINTENANCE
from upschedule.web.identity import AnyRequest, Identity
from upschedule.web.problems import problems
from upschedule.web.schemas.accounts import Credentials


class AccountController(Controller):
    """A visitor is an account without a password."""

    path = "/api/v1/accounts"
    tags = ("accounts",)

    @post(
        operation_id="SignUp",
        summary="Sign up",
        responses=problems(InvalidCredentials, EmailNotAvailable, AlreadySignedUp, SignInBlocked, SignInBusy),
    )
    async def sign_up(
        self,
        *,
        request: AnyRequest,
        data: Credentials,
        visitor: Visitor | None,
        accounts: AccountService,
        identity: Identity,
        clients: ClientAddresses,
    ) -> Profile:
        """Everything that this visitor made stays; the cookie gets a new value."""
        profile, signed_in = await accounts.sign_up(
            email=data.email, password=data.password, client=clients.of(request), visitor=visitor
        )
        identity.remember(request, signed_in)
        return profile

    @get("/current", operation_id="GetAccount", summary="Who you are", responses=problems(NoVisitor))
    async def current(self, known: Visitor, accounts: AccountService) -> Profile:
        """Also for a visitor who has not signed up."""
        return await accounts.profile(known)


class SessionController(Controller):
    """Signed in as long as the session lives; instances share them (R10.3)."""

    path = "/api/v1/sessions"
    tags = ("accounts",)
    opt = THROUGH_MAINTENANCE

    @post(
        operation_id="SignIn",
        summary="Sign in",
        responses=problems(WrongCredentials, SignInBlocked, SignInBusy),
    )
    async def sign_in(
        self,
        *,
        request: AnyRequest,
        data: Credentials,
        visitor: Visitor | None,
        accounts: AccountService,
        identity: Identity,
        clients: ClientAddresses,
    ) -> Profile:
        """The cookie gets a new value. Five failures block signing in for 15 minutes, and nothing else (R8.5)."""
        profile, signed_in = await accounts.sign_in(
            email=data.email, password=data.password, client=clients.of(request), visitor=visitor
        )
        identity.remember(request, signed_in)
        return profile

    @delete("/current", operation_id="SignOut", summary="Sign out", responses=problems())
    async def sign_out(self, request: AnyRequest, identity: Identity) -> None:
        """Signing out twice is no error. After the answer the old cookie is worth nothing, at any instance."""
        await identity.sign_out(request)
