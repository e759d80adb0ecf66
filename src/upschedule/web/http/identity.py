"""The cookies that identify a visitor and a browser, and the visitor of a request."""

from typing import Any

import structlog
from litestar import Request
from litestar.datastructures import Cookie

from upschedule.accounts.errors import NoVisitor
from upschedule.accounts.service import AccountService, Visitor
from upschedule.settings import WebSettings
from upschedule.web.http.exchange import exchange_of

AnyRequest = Request[Any, Any, Any]

_DAY_SECONDS = 86_400


class Identity:
    """Finds, remembers and forgets the visitor of a request."""

    def __init__(self, accounts: AccountService, web: WebSettings) -> None:
        self._accounts = accounts
        self._secure = web.secure
        self._device_seconds = web.device_days * _DAY_SECONDS
        self.cookie_name = self.cookie_name_of(web)
        self._device_cookie_name = f"{self.cookie_name}-device"

    @staticmethod
    def cookie_name_of(web: WebSettings) -> str:
        """The prefix makes browsers refuse a cookie that another host or an insecure page tries to plant."""
        return "__Host-upschedule" if web.secure else "upschedule"

    async def find(self, request: AnyRequest) -> Visitor | None:
        """None without a cookie or with one that is no longer known. Raises StoreError."""
        session_id = request.cookies.get(self.cookie_name)
        visitor = await self._accounts.visitor(session_id) if session_id else None
        if visitor:
            self._note(request, visitor)
            if visitor.renewed:
                self._set_cookie(request, visitor.session_id, visitor.session_seconds)
        return visitor

    async def create(self, request: AnyRequest) -> Visitor:
        """Creates a visitor. `remember` sets the cookie, once the visitor has stored something. Raises StoreError."""
        visitor = await self._accounts.create_visitor()
        self._note(request, visitor)
        return visitor

    def remember(self, request: AnyRequest, visitor: Visitor) -> None:
        """Sets the cookie on the answer."""
        self._note(request, visitor)
        self._set_cookie(request, visitor.session_id, visitor.session_seconds)

    def device_of(self, request: AnyRequest) -> str | None:
        """The device cookie's id, which the browser got at an earlier sign-in (decision 15)."""
        return request.cookies.get(self._device_cookie_name)

    def remember_device(self, request: AnyRequest, device: str) -> None:
        """Sets the device cookie. It remains after signing out, and gives no access without a password."""
        self._set_cookie(request, device, self._device_seconds, name=self._device_cookie_name)

    async def sign_out(self, request: AnyRequest) -> None:
        """Ends the session and removes the cookie. After StoreError, the session may still be valid."""
        if session_id := request.cookies.get(self.cookie_name):
            await self._accounts.sign_out(session_id)
        self.forget(request)

    def forget(self, request: AnyRequest) -> None:
        """Removes the cookie."""
        self._set_cookie(request, "", 0)

    def _note(self, request: AnyRequest, visitor: Visitor) -> None:
        exchange_of(request.scope).account_id = str(visitor.account_id)
        structlog.contextvars.bind_contextvars(account_id=str(visitor.account_id))

    def _set_cookie(self, request: AnyRequest, value: str, max_age_seconds: int, *, name: str = "") -> None:
        cookie = Cookie(
            key=name or self.cookie_name,
            value=value,
            max_age=max_age_seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
        exchange_of(request.scope).add_header("Set-Cookie", cookie.to_header(header=""))


async def provide_known(visitor: Visitor | None) -> Visitor:
    """The dependency `known`. Raises NoVisitor."""
    if visitor is None:
        raise NoVisitor
    return visitor
