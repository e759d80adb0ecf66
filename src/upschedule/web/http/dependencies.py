"""The dependencies that handlers name in their signatures."""

from typing import Any

import msgspec
from litestar.datastructures import State
from litestar.di import Provide

from upschedule.accounts.own_account import OwnAccount
from upschedule.accounts.password_resets import PasswordResets
from upschedule.accounts.service import AccountService, Visitor
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.service import CalendarService
from upschedule.calendars.shares import ShareService
from upschedule.processing.pictures import RowPictures
from upschedule.processing.reports import RowReports
from upschedule.processing.service import JobService
from upschedule.services import Services
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.drain import Drain
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.identity import AnyRequest, Identity, provide_known
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.http.rotation import Rotation
from upschedule.web.http.streams import Streams
from upschedule.web.http.uploads import UploadReceiver


class WebContext(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that all requests of the process share. Each field is a dependency of that name."""

    services: Services
    #: Not "jobs": a wrong field of that name in a body would count as the dependency's fault, a 500.
    job_service: JobService
    pictures: RowPictures
    reports: RowReports
    accounts: AccountService
    own_account: OwnAccount
    #: None where no mail is sent.
    password_resets: PasswordResets | None
    calendars: CalendarService
    feeds: FeedService
    shares: ShareService
    clients: ClientAddresses
    rate_limits: RateLimits
    identity: Identity
    receiver: UploadReceiver
    streams: Streams
    drain: Drain
    rotation: Rotation
    #: The service's own origins as browsers write them in `Origin`: scheme, host and port.
    origins: frozenset[str]


def context_of(state: State) -> WebContext:
    """The context of the process."""
    context: WebContext = state.context
    return context


def dependencies() -> dict[str, Provide]:
    """The dependencies of the application: every field of the context, and the visitor and settings of the request.

    The handlers that are called most take the `context` as a whole. The framework starts a group of tasks for
    dependencies that do not need each other, which took an eighth of the processor time of a status.
    """
    return {
        **{name: _field(name) for name in WebContext.__struct_fields__},
        "context": Provide(context_of, sync_to_thread=False),
        "visitor": Provide(provide_visitor),
        "known": Provide(provide_known),
        "settings": Provide(settings_of, sync_to_thread=False),
    }


async def provide_visitor(request: AnyRequest, context: WebContext) -> Visitor | None:
    """The dependency `visitor`: None for a person who has uploaded nothing yet."""
    return await context.identity.find(request)


def _field(name: str) -> Provide:
    def provide(state: State) -> Any:
        return getattr(context_of(state), name)

    return Provide(provide, sync_to_thread=False)
