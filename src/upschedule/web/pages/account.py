"""The page of an account: what is stored, where its owner is signed in, the password, and deleting everything."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from litestar import Controller, Response, post, route
from litestar.di import Provide
from litestar.response import Redirect

from upschedule.accounts.errors import InvalidCredentials, NoVisitor, SignInBlocked, SignInBusy, WrongCredentials
from upschedule.accounts.own_account import OwnAccount, OwnSession, Proof
from upschedule.accounts.service import AccountService, Visitor
from upschedule.errors import FieldError, Refusal
from upschedule.settings import Settings
from upschedule.settings.work import MEBIBYTE
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.identity import AnyRequest, Identity
from upschedule.web.http.openapi import READING
from upschedule.web.pages.editing import fields
from upschedule.web.pages.information import months_of
from upschedule.web.pages.rendering import error_handlers, page, page_of_refusal

_SEE_OTHER = 303
_SAST = dt.timezone(dt.timedelta(hours=2))
_TEMPLATE = "account/account.html"


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in."""

    reference: str
    browser: str
    since: str
    used: str
    current: bool


class AccountScreen:
    """The account page of one request. It also checks the password that the forms ask for."""

    def __init__(
        self,
        request: AnyRequest,
        visitor: Visitor,
        accounts: AccountService,
        own_account: OwnAccount,
        *,
        device: str | None,
        client: str,
        settings: Settings,
        now: dt.datetime,
    ) -> None:
        self._request = request
        self._visitor = visitor
        self._accounts = accounts
        self._own_account = own_account
        self._device = device
        self._client = client
        self._settings = settings
        self._now = now

    def proof(self, form: Mapping[str, str]) -> Proof:
        """The proof of the password in the form's field `password`."""
        return Proof(
            password=form.get("password", ""), client=self._client, device=self._device, limits=self._settings.limits
        )

    async def page(self, *, done: str) -> Response[bytes]:
        """Renders the page. `done` names what a form has just done. Raises NoVisitor and StoreError."""
        return page(self._request, _TEMPLATE, **await self._context(), message="", errors={}, form="", done=done)

    async def refused(self, refusal: Refusal, *, form: str) -> Response[bytes]:
        """Renders the page with the reason in the form `form`. Raises NoVisitor and StoreError."""
        return page_of_refusal(self._request, _TEMPLATE, refusal, **await self._context(), form=form, done="")

    async def _context(self) -> dict[str, Any]:
        profile = await self._accounts.profile(self._visitor, settings=self._settings)
        sessions = await self._own_account.sessions(self._visitor)
        return {
            "profile": profile,
            "stored": f"{profile.stored_bytes / MEBIBYTE:.1f} of {profile.quota_bytes / MEBIBYTE:.0f} MB",
            "sessions": tuple(_session_lines(sessions, self._now.astimezone(_SAST))),
            "keep_hours": round(self._settings.uploads.keep_hours),
            "unused_months": months_of(self._settings.jobs.unused_days),
        }


async def provide_screen(
    *,
    request: AnyRequest,
    known: Visitor,
    accounts: AccountService,
    own_account: OwnAccount,
    identity: Identity,
    clients: ClientAddresses,
    settings: Settings,
) -> AccountScreen:
    """The dependency `screen`. Raises NoVisitor."""
    return AccountScreen(
        request,
        known,
        accounts,
        own_account,
        device=identity.device_of(request),
        client=clients.of(request),
        settings=settings,
        now=dt.datetime.now(tz=dt.UTC),
    )


def _to_sign_in(_: AnyRequest, __: NoVisitor) -> Redirect:
    return Redirect("/account/sign-in", status_code=_SEE_OTHER)


class AccountForms(Controller):
    """The forms of the account page.

    A visitor without a password can use them to delete everything; a stranger is sent to the sign-in.
    """

    path = "/account"
    include_in_schema = False
    exception_handlers = error_handlers() | {NoVisitor: _to_sign_in}
    dependencies = {"screen": Provide(provide_screen)}  # noqa: RUF012 - the framework reads it from the class

    @route(http_method=READING)
    async def show(self, request: AnyRequest, screen: AccountScreen) -> Response[bytes]:
        """The page.

        After a form, the redirect's address contains what it did, so that a reload does not repeat the form.
        """
        return await screen.page(done=request.query_params.get("done", ""))

    @post("/sessions/end")
    async def end_session(self, request: AnyRequest, known: Visitor, own_account: OwnAccount) -> Redirect:
        """Signs out one other browser, or all others."""
        reference = dict(await fields(request)).get("session", "")
        if reference == "others":
            await own_account.end_other_sessions(known)
        else:
            await own_account.end_session(known, reference)
        return Redirect("/account?done=ended#sessions", status_code=_SEE_OTHER)

    @post("/password")
    async def change_password(
        self, request: AnyRequest, known: Visitor, own_account: OwnAccount, identity: Identity, screen: AccountScreen
    ) -> Response[bytes] | Redirect:
        """Signs all other browsers out."""
        form = dict(await fields(request))
        try:
            changed = await own_account.change_password(known, form.get("new_password", ""), proof=screen.proof(form))
        except InvalidCredentials as refusal:
            return await screen.refused(_named(refusal, "new_password"), form="password")
        except (WrongCredentials, SignInBlocked, SignInBusy) as refusal:
            return await screen.refused(_at_password(refusal), form="password")
        identity.remember(request, changed)
        return Redirect("/account?done=password#password", status_code=_SEE_OTHER)

    @post("/delete")
    async def delete(
        self, request: AnyRequest, known: Visitor, own_account: OwnAccount, identity: Identity, screen: AccountScreen
    ) -> Response[bytes] | Redirect:
        """Deletes the account with all documents and calendars.

        Requires a ticked box and, from a person who has signed up, the password.
        """
        form = dict(await fields(request))
        if form.get("sure") != "yes":
            return Redirect("/account#delete", status_code=_SEE_OTHER)
        try:
            await own_account.delete(known, proof=screen.proof(form))
        except (WrongCredentials, SignInBlocked, SignInBusy) as refusal:
            return await screen.refused(_at_password(refusal), form="delete")
        identity.forget(request)
        return page(request, "account/deleted.html")


def _named(refusal: InvalidCredentials, field: str) -> InvalidCredentials:
    """Renames the field of the only error to the name that it has in the form."""
    return InvalidCredentials(tuple(msgspec.structs.replace(error, field=field) for error in refusal.errors))


def _at_password(refusal: Refusal) -> Refusal:
    """Shows the error of a wrong password beside its field."""
    return _WrongPassword() if isinstance(refusal, WrongCredentials) else refusal


class _WrongPassword(WrongCredentials):
    """This is not your password. Check it and try again."""

    explained = False

    def __init__(self) -> None:
        super().__init__()
        self.errors = (FieldError(field="password", detail=self.detail),)


def _session_lines(sessions: Iterable[OwnSession], now: dt.datetime) -> Iterable[SessionLine]:
    for session in sessions:
        yield SessionLine(
            reference=session.reference,
            browser=session.browser or "A browser",
            since=_day(session.created_at, now),
            used=_day(session.last_seen_at, now),
            current=session.current,
        )


def _day(moment: dt.datetime, now: dt.datetime) -> str:
    """The date in the time zone of `now`."""
    date = moment.astimezone(now.tzinfo).date()
    if date == now.date():
        return "today"
    return f"on {date.day} {date:%B %Y}"
