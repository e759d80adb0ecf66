"""What people are served, and how often."""

from typing import Annotated

import msgspec
from msgspec import Meta


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that one person, one address and everybody together may make."""

    uploads_per_hour: Annotated[int, Meta(ge=1, description="Uploads of an account (R5.1)")] = 10
    uploads_per_hour_address: Annotated[int, Meta(ge=1, description="Uploads of an address; a campus shares one")] = (
        2000
    )
    status_per_minute: Annotated[int, Meta(ge=1, description="Status requests of an account (R5.2)")] = 100
    requests_per_second: Annotated[int, Meta(ge=1, description="Requests of everybody together (R5.4)")] = 100
    sign_in_failures_max: Annotated[int, Meta(ge=1, description="Failed sign-ins before a block (R8.5)")] = 5
    sign_in_block_seconds: Annotated[int, Meta(ge=1, description="Length of that block (R8.5)")] = 900
    streams_per_account: Annotated[int, Meta(ge=1, description="Open status streams of an account in one process")] = 20


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The API process."""

    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on")] = 8000
    public_url: Annotated[
        str, Meta(description="Where people reach the service; feeds and same-origin checks use it")
    ] = "http://127.0.0.1:8080"
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="Networks whose X-Forwarded-For is believed: Traefik's, comma separated")
    ] = ("127.0.0.1/32", "::1/128")
    feed_secret: Annotated[str, Meta(min_length=32, description="Key from which feed addresses are derived")]
    session_days: Annotated[int, Meta(ge=1, description="A visitor unseen for so long is forgotten")] = 180
    drain_grace_seconds: Annotated[
        float, Meta(ge=0, description="How long readiness fails before the door closes; above a proxy's check interval")
    ] = 2.0
    drain_seconds: Annotated[int, Meta(ge=1, description="Time that requests under way get when the process stops")] = (
        20
    )


class CalendarSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar assumes where the schedule prints nothing."""

    exam_minutes: Annotated[int, Meta(ge=1, description="Length of an exam, marked as assumed")] = 180
    cancelled_days: Annotated[
        int, Meta(ge=1, description="How long a removed entry stays as cancelled in the file")
    ] = 30
    uid_domain: Annotated[
        str, Meta(description="Right-hand side of every UID; a change duplicates everybody's entries")
    ] = "upschedule.app"
