"""The application: its controllers, what every handler may ask for, its start and its stop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import cast

import msgspec
from litestar import Controller, Litestar

from upschedule.services import Services
from upschedule.web.api.academic_years import AcademicYearController
from upschedule.web.api.accounts import AccountController, SessionController
from upschedule.web.api.calendars import CalendarController
from upschedule.web.api.capacity import CapacityController
from upschedule.web.api.feeds import FeedController
from upschedule.web.api.health import HealthController, MetricsController
from upschedule.web.api.jobs import JobController
from upschedule.web.api.openapi_document import openapi_config
from upschedule.web.api.problems import ProblemController
from upschedule.web.api.uploads import UploadController
from upschedule.web.http import problems
from upschedule.web.http.allowed_methods import name_all_methods
from upschedule.web.http.boundary import Application, Boundary
from upschedule.web.http.client_addresses import ClientAddresses, origin_of
from upschedule.web.http.dependencies import WebContext, dependencies
from upschedule.web.http.drain import Drain
from upschedule.web.http.guards import limit_everybody, refuse_changes, refuse_cross_site, refuse_malformed_text
from upschedule.web.http.identity import Identity
from upschedule.web.http.live import LiveOptions
from upschedule.web.http.multipart import UploadReader
from upschedule.web.http.rate_limits import Limits
from upschedule.web.http.requests import CheckedRequest
from upschedule.web.http.rotation import Rotation
from upschedule.web.http.streams import Streams
from upschedule.web.http.uploads import Receiver
from upschedule.web.pages.assets import StaticController
from upschedule.web.pages.forms import CalendarForms, DocumentForms
from upschedule.web.pages.home import HomeController

#: Every resource. A controller is added here, in one line.
CONTROLLERS: tuple[type[Controller], ...] = (
    UploadController,
    JobController,
    CalendarController,
    FeedController,
    AcademicYearController,
    CapacityController,
    AccountController,
    SessionController,
    ProblemController,
    HomeController,
    DocumentForms,
    CalendarForms,
    StaticController,
    HealthController,
    MetricsController,
)

#: Of a body that is not an upload.
_BODY_BYTES_MAX = 65_536


class WebOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the HTTP layer takes from the settings. `public_url` is where people reach the service.

    `origins`: further URLs of the service, whose pages may change something as well.
    """

    public_url: str
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...]
    live: Callable[[Services], LiveOptions]
    upload_bytes_max: int
    #: All bodies that are being received, together.
    buffered_bytes_max: int
    body_idle_seconds: float
    body_seconds: float
    drain_grace_seconds: float
    device_days: int
    #: Named in every answer, so that a release's gate knows who answered; empty outside a cluster.
    instance: str = ""

    @property
    def secure(self) -> bool:
        """Whether people come by HTTPS."""
        return self.public_url.startswith("https://")


OpenServices = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(open_services: OpenServices, options: WebOptions) -> Application:
    """An ASGI application that opens its services when it starts and closes them when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        drain = Drain(grace_seconds=options.drain_grace_seconds)
        async with open_services() as services, drain.on_signal():
            app.state.context = _context(services, options, drain)
            ending = asyncio.create_task(_end_streams(drain, services))
            try:
                yield
            finally:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)

    application = Litestar(
        CONTROLLERS,
        lifespan=[lifespan],
        dependencies=dependencies(),
        request_class=CheckedRequest,
        guards=[refuse_malformed_text, refuse_cross_site, refuse_changes, limit_everybody],
        exception_handlers=problems.handlers(),
        before_send=[name_all_methods],
        request_max_body_size=_BODY_BYTES_MAX,
        logging_config=None,
        openapi_config=openapi_config(cookie_name=Identity.cookie_name_of(secure=options.secure)),
    )
    return Boundary(cast("Application", application), instance=options.instance)


async def _end_streams(drain: Drain, services: Services) -> None:
    await drain.wait()
    services.jobs.end_watches()


def _context(services: Services, options: WebOptions, drain: Drain) -> WebContext:
    clients = ClientAddresses(options.trusted_proxies)
    live = partial(options.live, services)
    limits = Limits(services.redis_state, lambda: live().limits, clients)
    identity = Identity(services.accounts, secure=options.secure, device_days=options.device_days)
    reader = UploadReader(
        size_bytes_max=options.upload_bytes_max,
        buffered_bytes_max=options.buffered_bytes_max,
        idle_seconds=options.body_idle_seconds,
        body_seconds=options.body_seconds,
    )
    receiver = Receiver(
        intake=services.intake,
        accounts=services.accounts,
        identity=identity,
        limits=limits,
        clients=clients,
        reader=reader,
    )
    return WebContext(
        services=services,
        clients=clients,
        limits=limits,
        identity=identity,
        receiver=receiver,
        streams=Streams(lambda: live().streams),
        drain=drain,
        origins=frozenset(map(origin_of, (options.public_url, *options.origins))),
        rotation=Rotation(services.readiness, drain),
        live=live,
    )
