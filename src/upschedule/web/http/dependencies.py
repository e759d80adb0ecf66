"""What handlers ask for by name. `context` holds what the process opened; the rest is picked from it."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar.datastructures import State
from litestar.di import Provide

from upschedule.accounts.service import AccountService
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.service import CalendarService
from upschedule.processing.service import JobService
from upschedule.services import Services
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.drain import Drain
from upschedule.web.http.identity import Identity, provide_known, provide_visitor
from upschedule.web.http.live import LiveOptions
from upschedule.web.http.rate_limits import Limits
from upschedule.web.http.rotation import Rotation
from upschedule.web.http.streams import Streams
from upschedule.web.http.uploads import Receiver


class WebContext(msgspec.Struct, frozen=True, kw_only=True):
    """One for the process, made when it starts."""

    services: Services
    clients: ClientAddresses
    limits: Limits
    identity: Identity
    receiver: Receiver
    streams: Streams
    drain: Drain
    #: As browsers write them in `Origin`: scheme, host and port.
    origins: frozenset[str]
    rotation: Rotation
    live: Callable[[], LiveOptions]


def context_of(state: State) -> WebContext:
    context: WebContext = state.context
    return context


def provide_services(state: State) -> Services:
    return context_of(state).services


def provide_jobs(state: State) -> JobService:
    return context_of(state).services.jobs


def provide_accounts(state: State) -> AccountService:
    return context_of(state).services.accounts


def provide_calendars(state: State) -> CalendarService:
    return context_of(state).services.calendars


def provide_feeds(state: State) -> FeedService:
    return context_of(state).services.feeds


def provide_clients(state: State) -> ClientAddresses:
    return context_of(state).clients


def provide_limits(state: State) -> Limits:
    return context_of(state).limits


def provide_identity(state: State) -> Identity:
    return context_of(state).identity


def provide_receiver(state: State) -> Receiver:
    return context_of(state).receiver


def provide_streams(state: State) -> Streams:
    return context_of(state).streams


def provide_drain(state: State) -> Drain:
    return context_of(state).drain


def provide_rotation(state: State) -> Rotation:
    return context_of(state).rotation


def dependencies() -> dict[str, Any]:
    """For the application: available to every handler, the pages' and the calendars' as well."""
    at_once = {
        "services": provide_services,
        # Not "jobs": a wrong field of that name in a body would count as the dependency's fault, a 500.
        "job_service": provide_jobs,
        "accounts": provide_accounts,
        "calendars": provide_calendars,
        "feeds": provide_feeds,
        "clients": provide_clients,
        "limits": provide_limits,
        "identity": provide_identity,
        "receiver": provide_receiver,
        "streams": provide_streams,
        "drain": provide_drain,
        "rotation": provide_rotation,
    }
    return {
        **{name: Provide(provider, sync_to_thread=False) for name, provider in at_once.items()},
        "visitor": Provide(provide_visitor),
        "known": Provide(provide_known),
    }
