"""Signing up, in and out."""

from litestar import Controller, delete, get, post

from upschedule.accounts.errors import (
    AlreadySignedUp,
    InvalidCredentials,
    NoVisitor,
    SignInBlocked,
    SignInBusy,
    WrongCredentials,
)
from upschedule.accounts.service import AccountService, Profile, Visitor
from upschedule.settings import Settings
from upschedule.web.api.account_schemas import BY_MAIL, Credentials, SignUpAnswer
from upschedule.web.http.browsers import browser_name
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.guards import THROUGH_MAINTENANCE
from upschedule.web.http.identity import AnyRequest, Identity
from upschedule.web.http.problems import problems
from upschedule.web.http.rate_limits import RateLimits


class AccountController(Controller):
    """A visitor is an account without a password."""

    path = "/api/v1/accounts"
    tags = ("accounts",)

    @post(
        operation_id="SignUp",
        summary="Sign up",
        status_code=202,
        responses=problems(InvalidCredentials, AlreadySignedUp, SignInBusy),
    )
    async def sign_up(
        self,
        *,
        request: AnyRequest,
        data: Credentials,
        visitor: Visitor | None,
        accounts: AccountService,
        rate_limits: RateLimits,
        settings: Settings,
    ) -> SignUpAnswer:
        """The link that is sent to the address makes the account; everything that this visitor made belongs to it.

        Where the service sends no mail, the next sign-in with these details makes it.

        The answer is the same whether the address has an account already or not.
        """
        await rate_limits.sign_up(request)
        await rate_limits.mail(request, data.email)
        await accounts.sign_up(email=data.email, password=data.password, visitor=visitor)
        return SignUpAnswer(detail=BY_MAIL) if settings.mail.host else SignUpAnswer()

    @get("/current", operation_id="GetAccount", summary="Who you are", responses=problems(NoVisitor))
    async def current(self, known: Visitor, accounts: AccountService, settings: Settings) -> Profile:
        """Also for a visitor who has not signed up."""
        return await accounts.profile(known, settings=settings)


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
        settings: Settings,
    ) -> Profile:
        """The cookie gets a new value. Five failures block signing in for 15 minutes, and nothing else (R8.5).

        A browser that signed in to the account before is outside the blocks and has five failures of its own.
        """
        signed_in = await accounts.sign_in(
            email=data.email,
            password=data.password,
            client=clients.of(request),
            device=identity.device_of(request),
            browser=browser_name(request.headers.get("user-agent", "")),
            visitor=visitor,
            settings=settings,
        )
        identity.remember(request, signed_in.visitor)
        identity.remember_device(request, signed_in.device)
        return signed_in.profile

    @delete("/current", operation_id="SignOut", summary="Sign out", responses=problems())
    async def sign_out(self, request: AnyRequest, identity: Identity) -> None:
        """Signing out twice is not an error. After the answer no instance accepts the old cookie."""
        await identity.sign_out(request)
