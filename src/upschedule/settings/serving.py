"""Settings of the API: limits, pages, calendars, maintenance."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from upschedule.settings.metadata import AMOUNT_MAX, API_ONLY, AUTHORITY, LIVE, NETWORKS, SECRET, url_of


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on the requests of one person, of one address and of all clients together."""

    uploads_per_hour: Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="Uploads of an account (R5.1)"), LIVE] = 10
    uploads_per_hour_address: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Uploads of an address; a campus shares one"), LIVE
    ] = 2000
    cpu_seconds_per_account: Annotated[
        float,
        Meta(
            gt=0,
            le=AMOUNT_MAX,
            description="Processor time that the readings of an account may use before its uploads are refused (R5.1)",
        ),
        LIVE,
    ] = 30.0
    status_per_minute: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Status requests of an account (R5.2)"), LIVE
    ] = 100
    requests_per_second: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Requests of all clients together (R5.4)"), LIVE
    ] = 100
    requests_per_second_address: Annotated[
        int,
        Meta(
            ge=1,
            le=AMOUNT_MAX,
            description="Share of one address in them; an address above its share cannot use the reserve",
        ),
        LIVE,
    ] = 20
    requests_reserved_percent: Annotated[
        int,
        Meta(ge=0, le=90, description="Reserve: the part of them that only addresses within their share may use"),
        LIVE,
    ] = 20
    sign_in_failures_max: Annotated[
        int,
        Meta(ge=1, le=AMOUNT_MAX, description="Failed sign-ins of an address, account or device before a block (R8.5)"),
        LIVE,
    ] = 5
    sign_in_block_seconds: Annotated[int, Meta(ge=1, le=604_800, description="Length of that block (R8.5)"), LIVE] = 900
    sign_ups_per_hour_address: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Sign-ups of an address; a campus shares one"), LIVE
    ] = 200
    mails_per_hour: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Messages that one e-mail address may be sent"), LIVE
    ] = 5
    pictures_per_minute: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Pictures of rows that an account may ask for"), LIVE
    ] = 60
    reports_per_hour: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Rows that an account may report as wrong"), LIVE
    ] = 10
    streams_per_account: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Open status streams of an account in one process"), LIVE
    ] = 20
    streams_max: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Open status streams of all clients in one process"), LIVE
    ] = 4000
    calendars_per_account: Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="Calendars of an account"), LIVE] = 50
    events_per_calendar: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Entries that a calendar joins at most"), LIVE
    ] = 2000


class MaintenanceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """While there is a message nothing is changed for people: uploads answer 503; reading, feeds and status go on."""

    message: Annotated[
        str, Meta(max_length=300, description="The sentence that people see; empty while there is no maintenance"), LIVE
    ] = ""
    retry_after_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="Time after which refused clients may try again (Retry-After)"), LIVE
    ] = 300


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The API process."""

    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on")] = 8000
    public_url: Annotated[
        str,
        Meta(
            description="URL of the service for people; feed links use it, and the service accepts changes "
            "from its pages",
            pattern=rf"^https?://{AUTHORITY}([/?#].*)?$",
        ),
        url_of("page"),
    ] = "http://127.0.0.1:8080"
    contact: Annotated[
        str,
        Meta(
            max_length=300,
            description="Who is responsible for the service and how to reach them, shown on the page about privacy",
        ),
    ] = ""
    origins: Annotated[
        tuple[Annotated[str, Meta(pattern=f"^https?://{AUTHORITY}$")], ...],
        Meta(description="Further public URLs, comma separated, from whose pages changes are accepted as well"),
        url_of("origin"),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks from which X-Forwarded-For is accepted: Traefik's, comma separated"),
        NETWORKS,
    ] = ("127.0.0.1/32", "::1/128")
    feed_secret: Annotated[
        str,
        Meta(
            description="Key from which feed addresses are derived, at least 32 characters; required for the API, and "
            "of no use to other processes",
            pattern="^(.{32,})?$",
        ),
        SECRET,
        API_ONLY,
    ] = ""
    connections_max: Annotated[
        int, Meta(ge=1, description="Requests under way at once; open streams are among them")
    ] = 8192
    buffered_bytes_max: Annotated[int, Meta(ge=1, description="Uploads being received, all together")] = 268_435_456
    body_idle_seconds: Annotated[float, Meta(gt=0, description="Longest silence while a file arrives")] = 20.0
    body_seconds: Annotated[float, Meta(gt=0, description="Longest time that a file may take to arrive")] = 120.0
    session_days: Annotated[
        int, Meta(ge=1, le=3650, description="Idle lifetime of a session: it ends after this time without use")
    ] = 180
    session_days_max: Annotated[
        int, Meta(ge=1, le=3650, description="Absolute lifetime of a session: it ends then however much it is used")
    ] = 400
    sign_up_hours: Annotated[int, Meta(ge=1, le=720, description="How long a sign-up waits for its first sign-in")] = 24
    device_days: Annotated[
        int,
        Meta(ge=1, le=3650, description="How long a browser that signed in is known to an account that is blocked"),
    ] = 400
    dependency_check_seconds: Annotated[
        float, Meta(gt=0, description="Pause between two checks of the dependencies for the metrics (R6.2)")
    ] = 5.0
    drain_grace_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Time between the first failing readiness check and the end of new connections; longer "
            "than the interval of a proxy's checks",
        ),
    ] = 2.0
    drain_seconds: Annotated[int, Meta(ge=1, description="Time that requests under way get when the process stops")] = (
        20
    )

    @property
    def secure(self) -> bool:
        """Whether people reach the service by HTTPS."""
        return self.public_url.startswith("https://")


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes mail to people who sign up or have forgotten their password. Only the API uses it."""

    host: Annotated[
        str, Meta(description="Mail server; while it is empty, no mail is sent and no address is confirmed")
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="How the connection is encrypted: by STARTTLS, by TLS from its start, or not at all"),
    ] = "starttls"
    user: Annotated[str, Meta(description="User name at the mail server; empty if it needs none")] = ""
    password: Annotated[str, Meta(description="Password of that user"), SECRET] = ""
    sender: Annotated[str, Meta(description="Address from which the mail comes")] = "no-reply@localhost"
    step_seconds: Annotated[
        float, Meta(gt=0, le=300, description="Longest time for a connection or an answer of the mail server")
    ] = 10.0
    poll_seconds: Annotated[
        float, Meta(gt=0, le=300, description="Pause between two searches for messages that are due again")
    ] = 5.0
    retry_seconds_base: Annotated[
        float, Meta(gt=0, le=3600, description="First pause after a failed attempt; it doubles with each further one")
    ] = 10.0
    attempts_max: Annotated[int, Meta(ge=1, le=100, description="Attempts to send a message before it is given up")] = 8
    reset_minutes: Annotated[int, Meta(ge=5, le=1440, description="How long a link for a new password is valid")] = 60


class CalendarSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar assumes where the schedule prints nothing."""

    exam_minutes: Annotated[int, Meta(ge=1, description="Length of an exam, marked as assumed")] = 180
    cancelled_days: Annotated[
        int, Meta(ge=1, description="How long a removed entry stays as cancelled in the file")
    ] = 30
    uid_domain: Annotated[
        str, Meta(description="Right-hand side of every UID; a change duplicates the entries of all calendars")
    ] = "upschedule.app"
    proposals_max: Annotated[int, Meta(ge=1, le=20, description="Combinations of groups that are proposed at once")] = 5
    proposal_milliseconds_max: Annotated[
        int,
        Meta(ge=10, le=10_000, description="Time for finding them; after it, the best that were found are returned"),
        LIVE,
    ] = 80
    proposal_nodes_max: Annotated[
        int,
        Meta(
            ge=100,
            le=AMOUNT_MAX,
            description="Steps for finding them; after them, the best that were found are returned",
        ),
    ] = 100_000
    proposal_count_steps_max: Annotated[
        int, Meta(ge=0, le=AMOUNT_MAX, description="Steps for counting the combinations without a clash")
    ] = 4_000
    proposal_classes_max: Annotated[
        int, Meta(ge=1, le=2000, description="Most weekly classes of all groups from which combinations are formed")
    ] = 800
    travel_minutes: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[^:]+ - [^:]+: ?[0-9]{1,3}$")], ...],
        Meta(
            description="Time from one campus to another, in either direction, comma separated: Hatfield - Mamelodi: 40"
        ),
    ] = (
        "Hatfield - Hillcrest: 15",
        "Hatfield - Groenkloof: 30",
        "Hatfield - Prinshof: 40",
        "Hatfield - Mamelodi: 45",
        "Hatfield - Onderstepoort: 60",
        "Groenkloof - Prinshof: 40",
        "Groenkloof - Hillcrest: 40",
    )
    travel_minutes_otherwise: Annotated[
        int, Meta(ge=0, le=999, description="Time between campuses that are not named there")
    ] = 60
