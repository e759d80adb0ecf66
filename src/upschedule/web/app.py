"""Builds the application: its controllers, the objects that all requests share, its start and its stop."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

from litestar import Controller, Litestar

from upschedule.services import LiveSettings, Services, open_services
from upschedule.settings import Settings
from upschedule.web.api.academic_years import AcademicYearController
from upschedule.web.api.accounts import AccountController, SessionController
from upschedule.web.api.calendars import CalendarController
from upschedule.web.api.capacity import CapacityController
from upschedule.web.api.feeds import FeedController
from upschedule.web.api.health import HealthController, MetricsController
from upschedule.web.api.jobs import JobController
from upschedule.web.api.openapi_document import openapi_config
from upschedule.web.api.uploads import UploadController
from upschedule.web.http.allowed_methods import name_all_methods
from upschedule.web.http.boundary import Application, Boundary
from upschedule.web.http.client_addresses import ClientAddresses, origin_of
from upschedule.web.http.dependencies import WebContext, dependencies
from upschedule.web.http.drain import Drain
from upschedule.web.http.guards import check_request
from upschedule.web.http.identity import Identity
from upschedule.web.http.multipart import UploadReader
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.http.requests import CheckedRequest
from upschedule.web.http.rotation import Rotation
from upschedule.web.http.streams import Streams
from upschedule.web.http.uploads import UploadReceiver
from upschedule.web.pages.account import AccountForms
from upschedule.web.pages.assets import StaticController
from upschedule.web.pages.entry_forms import EntryForms
from upschedule.web.pages.explanations import ProblemController
from upschedule.web.pages.forms import CalendarForms, DocumentForms
from upschedule.web.pages.group_forms import GroupForms
from upschedule.web.pages.home import HomeController
from upschedule.web.pages.information import InformationController
from upschedule.web.pages.mail_links import ConfirmForms, ForgottenForms
from upschedule.web.pages.phone import PhoneController
from upschedule.web.pages.rendering import negotiated_handlers
from upschedule.web.pages.sign_in import SignInForms, SignUpForms
from upschedule.web.pages.take import CalendarLinkForms, SharedController

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
    CalendarLinkForms,
    SharedController,
    GroupForms,
    EntryForms,
    SignUpForms,
    SignInForms,
    AccountForms,
    ConfirmForms,
    ForgottenForms,
    InformationController,
    StaticController,
    PhoneController,
    HealthController,
    MetricsController,
)

#: Of a body that is not an upload.
_BODY_BYTES_MAX = 65_536


def create_app(live: LiveSettings, *, instance: str = "") -> Application:
    """An ASGI application that opens its services when it starts and closes them when it stops.

    `instance` is named in every answer, so that the gate of a release knows which instance answered; it is empty
    outside a cluster.
    """
    web = live.current.web

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        drain = Drain(grace_seconds=web.drain_grace_seconds)
        async with open_services(live, role="api") as services, drain.on_signal():
            context = app.state.context = _context(services, live.current, drain, instance)
            tasks = [
                asyncio.create_task(_end_streams(drain, services)),
                asyncio.create_task(context.rotation.keep_asking(pause_seconds=web.dependency_check_seconds)),
            ]
            if services.mailer:
                tasks.append(asyncio.create_task(services.mailer.run(), name="mail"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    application = Litestar(
        CONTROLLERS,
        lifespan=[lifespan],
        dependencies=dependencies(),
        request_class=CheckedRequest,
        guards=[check_request],
        exception_handlers=negotiated_handlers(),
        before_send=[name_all_methods],
        request_max_body_size=_BODY_BYTES_MAX,
        logging_config=None,
        openapi_config=openapi_config(cookie_name=Identity.cookie_name_of(web)),
    )
    return Boundary(cast("Application", application), live, instance=instance)


async def _end_streams(drain: Drain, services: Services) -> None:
    await drain.wait()
    services.jobs.end_watches()


def _context(services: Services, settings: Settings, drain: Drain, instance: str) -> WebContext:
    web = settings.web
    clients = ClientAddresses(web.trusted_proxies)
    rate_limits = RateLimits(services.redis_state, clients, services.exemptions)
    identity = Identity(services.accounts, web)
    receiver = UploadReceiver(
        intake=services.intake,
        accounts=services.accounts,
        exemptions=services.exemptions,
        identity=identity,
        rate_limits=rate_limits,
        clients=clients,
        reader=UploadReader(settings.uploads, web),
    )
    return WebContext(
        services=services,
        job_service=services.jobs,
        pictures=services.pictures,
        reports=services.reports,
        accounts=services.accounts,
        own_account=services.own_account,
        password_resets=services.password_resets,
        calendars=services.calendars,
        feeds=services.feeds,
        shares=services.shares,
        clients=clients,
        rate_limits=rate_limits,
        identity=identity,
        receiver=receiver,
        streams=Streams(),
        drain=drain,
        rotation=Rotation(services.readiness, drain, instance=instance),
        origins=frozenset(map(origin_of, (web.public_url, *web.origins))),
    )
