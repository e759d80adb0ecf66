"""The pages to which the links in e-mails lead: completing a sign-up, and choosing a new password.

A GET request changes nothing, because mail programs open links automatically. Only the form completes the action.
"""

from typing import Annotated

from litestar import Controller, Response, post, route
from litestar.di import Provide
from litestar.params import Parameter
from litestar.response import Redirect

from upschedule.accounts.errors import InvalidCredentials, SignInBlocked, SignInBusy, WrongCredentials
from upschedule.accounts.password_resets import PasswordResets
from upschedule.accounts.service import AccountService, Visitor
from upschedule.settings import Settings
from upschedule.web.http.browsers import browser_name
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.errors import LimitExceeded, NotFound
from upschedule.web.http.identity import AnyRequest, Identity
from upschedule.web.http.openapi import READING
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.pages.editing import fields
from upschedule.web.pages.rendering import error_handlers, page, page_of_refusal
from upschedule.web.pages.sign_in import signed_in_response

_SEE_OTHER = 303
_CONFIRM, _FORGOT, _RESET = "account/confirm.html", "account/forgot.html", "account/reset.html"

Token = Annotated[str, Parameter(max_length=200)]


class ConfirmForms(Controller):
    """Completes a sign-up. The link proves who owns the mailbox, and the password proves who signed up."""

    path = "/account/confirm"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route("/{token:str}", http_method=READING)
    async def ask(self, request: AnyRequest, token: Token, accounts: AccountService) -> Response[bytes]:
        """Raises LinkExpired."""
        email = await accounts.address_to_confirm(token)
        return _private(page(request, _CONFIRM, email=email, token=token, message="", errors={}))

    @post("/{token:str}")
    async def confirm(
        self,
        *,
        request: AnyRequest,
        token: Token,
        visitor: Visitor | None,
        accounts: AccountService,
        identity: Identity,
        clients: ClientAddresses,
        settings: Settings,
    ) -> Redirect | Response[bytes]:
        """Makes the account and signs in. Raises LinkExpired."""
        form = dict(await fields(request))
        try:
            signed_in = await accounts.confirm(
                token=token,
                password=form.get("password", ""),
                client=clients.of(request),
                device=identity.device_of(request),
                browser=browser_name(request.headers.get("user-agent", "")),
                visitor=visitor,
                settings=settings,
            )
        except (WrongCredentials, SignInBlocked, SignInBusy) as refusal:
            email = await accounts.address_to_confirm(token)
            return _private(page_of_refusal(request, _CONFIRM, refusal, email=email, token=token))
        return signed_in_response(request, identity, signed_in)


async def provide_resets(password_resets: PasswordResets | None) -> PasswordResets:
    """The dependency `resets`. Raises NotFound where no mail is sent."""
    if password_resets is None:
        raise NotFound
    return password_resets


class ForgottenForms(Controller):
    """Sets a new password for a person who can read the mail of the account's address."""

    path = "/account"
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"resets": Provide(provide_resets)}  # noqa: RUF012 - the framework reads it from the class

    @route("/forgot", http_method=READING)
    async def ask(self, request: AnyRequest, resets: PasswordResets) -> Response[bytes]:
        """Shows the form for the address."""
        del resets
        return page(request, _FORGOT, email="", sent=False, message="", errors={})

    @post("/forgot")
    async def send(self, request: AnyRequest, resets: PasswordResets, rate_limits: RateLimits) -> Response[bytes]:
        """Shows the same page whether or not the address has an account."""
        email = dict(await fields(request)).get("email", "")
        try:
            await rate_limits.mail(request, email)
            await resets.request(email)
        except LimitExceeded as refusal:
            return page_of_refusal(request, _FORGOT, refusal, email=email, sent=False)
        return page(request, _FORGOT, email=email, sent=True, message="", errors={})

    @route("/reset/{token:str}", http_method=READING)
    async def choose(self, request: AnyRequest, token: Token, resets: PasswordResets) -> Response[bytes]:
        """Raises LinkExpired."""
        email = await resets.address(token)
        return _private(page(request, _RESET, email=email, token=token, message="", errors={}))

    @post("/reset/{token:str}")
    async def reset(self, request: AnyRequest, token: Token, resets: PasswordResets) -> Redirect | Response[bytes]:
        """Sets the password and redirects to the sign-in. Raises LinkExpired."""
        try:
            await resets.reset(token, dict(await fields(request)).get("password", ""))
        except (InvalidCredentials, SignInBusy) as refusal:
            email = await resets.address(token)
            return _private(page_of_refusal(request, _RESET, refusal, email=email, token=token))
        return Redirect("/account/sign-in?done=password", status_code=_SEE_OTHER)


def _private(shown: Response[bytes]) -> Response[bytes]:
    """The address of the page is a secret: it does not travel to other sites.

    With "no-referrer" a browser would hide the origin of the page's own form, too, which would then be refused.
    """
    shown.headers |= {"Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}
    return shown
