"""Guards: the checks that every request passes before its handler runs."""

from types import MappingProxyType

from litestar.handlers import BaseRouteHandler

from upschedule.web.http.client_addresses import Connection, method_of
from upschedule.web.http.dependencies import context_of
from upschedule.web.http.errors import CrossSiteRequest, NotFound, UnderMaintenance
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.requests import check_encoded

#: The `opt` of routes outside the limit of all clients together: health, metrics, static files, feeds (R5.4).
OUTSIDE_LIMITS = MappingProxyType({"outside_limits": True})
#: The `opt` of routes that answer during maintenance although they are not read-only: they change no data of users.
THROUGH_MAINTENANCE = MappingProxyType({"through_maintenance": True})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


async def check_request(connection: Connection, handler: BaseRouteHandler) -> None:
    """All checks of a request: raises InvalidRequest, NotFound, CrossSiteRequest, UnderMaintenance, LimitExceeded.

    One asynchronous guard, since the framework copies the handler for each guard and calls each synchronous one in a
    thread: four guards cost a third of what a short request costs in all.
    """
    _refuse_malformed_text(connection)
    _refuse_cross_site(connection)
    _refuse_changes(connection, handler)
    if not handler.opt.get("outside_limits"):
        await context_of(connection.app.state).rate_limits.everybody(connection)


async def only_inside(connection: Connection, _: BaseRouteHandler) -> None:
    """Raises NotFound for a request that came through the reverse proxy, whose routes leave the address out as well."""
    if "x-forwarded-for" in connection.headers:
        raise NotFound


def _refuse_malformed_text(connection: Connection) -> None:
    """No store can hold U+0000, and no resource has a name that is not UTF-8. Raises InvalidRequest and NotFound."""
    if "\0" in connection.scope["path"]:
        raise NotFound
    check_encoded(connection.scope["query_string"])


def _refuse_cross_site(connection: Connection) -> None:
    """Browsers send the site that a request comes from; scripts do not, and hold only their own cookie.

    Raises CrossSiteRequest. There is no token, so none can leak, and forms work without JavaScript. An origin is
    compared with the configured public URLs: the client chooses the `Host` header.
    """
    if method_of(connection) in _SAFE_METHODS:
        return
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None and site not in _OWN_SITES:
        raise CrossSiteRequest
    if origin is not None and origin not in context_of(connection.app.state).origins:
        raise CrossSiteRequest


def _refuse_changes(connection: Connection, handler: BaseRouteHandler) -> None:
    """Raises UnderMaintenance for what would change something; reading, feeds and status go on."""
    if method_of(connection) in _SAFE_METHODS or handler.opt.get("through_maintenance"):
        return
    maintenance = settings_of(connection.scope).maintenance
    if maintenance.message:
        raise UnderMaintenance(maintenance.message, retry_after_seconds=maintenance.retry_after_seconds)
