"""Handles the forms for signing up, in and out, with the same services as the API."""

from typing import Any

from litestar import Controller, Response, post, route
from litestar.response import Redirect

from upschedule.accounts.errors import (
    AlreadySignedUp,
    InvalidCredentials,
    SignInBlocked,
    SignInBusy,
    WrongCredentials,
)
from upschedule.accounts.service import AccountService, SignedIn, Visitor
from upschedule.settings import Settings
from upschedule.web.http.browsers import browser_name
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.errors import LimitExceeded
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.guards import THROUGH_MAINTENANCE
from upschedule.web.http.identity import AnyRequest, Identity
from upschedule.web.http.openapi import READING
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.pages.editing import fields
from upschedule.web.pages.rendering import error_handlers, page, page_of_refusal

_SEE_OTHER = 303
_SIGN_IN, _SIGN_UP = "account/sign_in.html", "account/sign_up.html"


class SignUpForms(Controller):
    """The answer is the same whether or not the address has an account (decision 15)."""

    path = "/account/sign-up"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route(http_method=READING)
    async def ask(self, request: AnyRequest) -> Response[bytes]:
        """Empty."""
        return page(request, _SIGN_UP, email="", message="", errors={})

    @post()
    async def sign_up(
        self,
        request: AnyRequest,
        visitor: Visitor | None,
        accounts: AccountService,
        rate_limits: RateLimits,
        settings: Settings,
    ) -> Response[bytes]:
        """Redirects to the page about the e-mail, or to the sign-in if the service sends no mail.

        After an error, the form shows what was entered.
        """
        form = dict(await fields(request))
        email = form.get("email", "")
        try:
            await rate_limits.sign_up(request)
            await rate_limits.mail(request, email)
            await accounts.sign_up(email=email, password=form.get("password", ""), visitor=visitor)
        except (InvalidCredentials, AlreadySignedUp, SignInBusy, LimitExceeded) as refusal:
            return page_of_refusal(request, _SIGN_UP, refusal, email=email)
        if settings.mail.host:
            return page(request, "account/sent.html", email=email, hours=settings.web.sign_up_hours)
        return _sign_in_page(request, email=email, signed_up=True)


class SignInForms(Controller):
    """Signing in and out, which are possible also during maintenance."""

    path = "/account"
    include_in_schema = False
    exception_handlers = error_handlers()
    opt = THROUGH_MAINTENANCE

    @route("/sign-in", http_method=READING)
    async def ask(self, request: AnyRequest, visitor: Visitor | None) -> Response[bytes]:
        """Shows the form, which says what a sign-in does not include."""
        return _sign_in_page(request, leaves_documents=visitor is not None)

    @post("/sign-in")
    async def sign_in(
        self,
        *,
        request: AnyRequest,
        visitor: Visitor | None,
        accounts: AccountService,
        identity: Identity,
        clients: ClientAddresses,
        settings: Settings,
    ) -> Redirect | Response[bytes]:
        """Redirects to the schedule. After an error, the form shows the address again, but not the password."""
        form = dict(await fields(request))
        try:
            signed_in = await accounts.sign_in(
                email=form.get("email", ""),
                password=form.get("password", ""),
                client=clients.of(request),
                device=identity.device_of(request),
                browser=browser_name(request.headers.get("user-agent", "")),
                visitor=visitor,
                settings=settings,
            )
        except (WrongCredentials, SignInBlocked, SignInBusy) as refusal:
            context = _context(request, email=form.get("email", ""))
            return page_of_refusal(request, _SIGN_IN, refusal, **context)
        return signed_in_response(request, identity, signed_in)

    @post("/sign-out")
    async def sign_out(self, request: AnyRequest, identity: Identity) -> Redirect:
        """Ends the session. The documents stay in the account, and a session that has already ended is no error."""
        await identity.sign_out(request)
        return Redirect("/", status_code=_SEE_OTHER)


def signed_in_response(request: AnyRequest, identity: Identity, signed_in: SignedIn) -> Redirect:
    """Redirects to the schedule and sets the cookies of the session and the device."""
    identity.remember(request, signed_in.visitor)
    identity.remember_device(request, signed_in.device)
    return Redirect("/", status_code=_SEE_OTHER)


def _sign_in_page(
    request: AnyRequest, *, email: str = "", signed_up: bool = False, leaves_documents: bool = False
) -> Response[bytes]:
    context = _context(request, email=email, signed_up=signed_up, leaves_documents=leaves_documents)
    return page(request, _SIGN_IN, **context, message="", errors={})


def _context(
    request: AnyRequest, *, email: str, signed_up: bool = False, leaves_documents: bool = False
) -> dict[str, Any]:
    return {
        "email": email,
        "signed_up": signed_up,
        "leaves_documents": leaves_documents,
        "new_password": request.query_params.get("done") == "password",
        "sends_mail": bool(settings_of(request.scope).mail.host),
    }
