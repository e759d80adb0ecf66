"""`upschedule serve`: the API process."""

import functools
import math
import os

import click
from granian import Granian
from granian.constants import Interfaces

from upschedule.cli.starting import configured
from upschedule.services import Services, open_services
from upschedule.settings import Settings
from upschedule.web.app import WebOptions, create_app
from upschedule.web.http.boundary import Application
from upschedule.web.http.live import LiveOptions, Maintenance
from upschedule.web.http.rate_limits import LimitOptions
from upschedule.web.http.streams import StreamLimits

#: Closing pools, after the last request has ended.
_CLOSING_SECONDS = 8
#: Set by Nomad for every task.
_ALLOCATION = "NOMAD_ALLOC_ID"


@click.command("serve")
def command() -> None:
    """Answer HTTP until SIGTERM; then requests under way are finished first.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped as told,
    78 wrong settings, 1 anything else.
    """
    chosen = configured("api")
    server = Granian(
        f"{__name__}:application",
        factory=True,
        interface=Interfaces.ASGI,
        address=chosen.web.host,
        port=chosen.web.port,
        workers=1,
        websockets=False,
        backlog=1024,
        backpressure=chosen.web.connections_max,
        respawn_failed_workers=True,
        workers_kill_timeout=math.ceil(chosen.web.drain_grace_seconds) + chosen.web.drain_seconds + _CLOSING_SECONDS,
        log_enabled=False,
    )
    server.serve()


def application() -> Application:
    """For the server's worker, which knows nothing but the environment."""
    chosen = configured("api")
    return create_app(functools.partial(open_services, chosen, role="api"), _web_options(chosen))


def _web_options(chosen: Settings) -> WebOptions:
    web = chosen.web
    return WebOptions(
        public_url=web.public_url,
        origins=web.origins,
        trusted_proxies=web.trusted_proxies,
        live=_live_options,
        upload_bytes_max=chosen.uploads.size_bytes_max,
        buffered_bytes_max=web.buffered_bytes_max,
        body_idle_seconds=web.body_idle_seconds,
        body_seconds=web.body_seconds,
        drain_grace_seconds=web.drain_grace_seconds,
        device_days=web.device_days,
        instance=os.environ.get(_ALLOCATION, ""),
    )


def _live_options(services: Services) -> LiveOptions:
    settings = services.settings
    limits, told = settings.limits, settings.maintenance
    return LiveOptions(
        limits=LimitOptions(
            uploads_per_hour=limits.uploads_per_hour,
            uploads_per_hour_address=limits.uploads_per_hour_address,
            status_per_minute=limits.status_per_minute,
            sign_ups_per_hour_address=limits.sign_ups_per_hour_address,
            requests_per_second=limits.requests_per_second,
            requests_per_second_address=limits.requests_per_second_address,
            requests_reserved_percent=limits.requests_reserved_percent,
        ),
        streams=StreamLimits(per_account_max=limits.streams_per_account, streams_max=limits.streams_max),
        maintenance=Maintenance(message=told.message, retry_after_seconds=told.retry_after_seconds)
        if told.message
        else None,
    )
