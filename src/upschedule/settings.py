"""Every setting: its name, unit, default and reason. Read from the environment once, at start.

A field `wait_seconds` of the group `postgres` is the variable `UPSCHEDULE_POSTGRES_WAIT_SECONDS`. Limits name the
requirement that gives their default. `docs/settings.md` is written from this file.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MEBIBYTE = 1024 * 1024
PREFIX = "UPSCHEDULE_"


class SettingsError(Exception):
    """Names every wrong setting at once, so that one start shows all there is to mend."""


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL holds the truth: accounts, jobs, entries, calendars."""

    url: Annotated[str, Meta(description="Connection string of the application's role", pattern="^postgres(ql)?://")]
    owner_url: Annotated[
        str | None, Meta(description="Connection string of the role that owns the tables; migrations only")
    ] = None
    pool_size_min: Annotated[int, Meta(ge=0, description="Connections an API process keeps open (R3.1)")] = 50
    pool_size_max: Annotated[int, Meta(ge=1, description="Connections an API process opens at most (R3.1)")] = 80
    worker_pool_size_min: Annotated[int, Meta(ge=0, description="Connections a worker keeps open")] = 2
    worker_pool_size_max: Annotated[int, Meta(ge=1, description="Connections a worker opens at most")] = 8
    pool_waiting_max: Annotated[
        int, Meta(ge=1, description="Requests that may wait for a connection; more are refused")
    ] = 1000
    wait_seconds: Annotated[float, Meta(gt=0, description="Longest wait for a connection (R3.3, R3.5)")] = 30.0
    statement_seconds: Annotated[float, Meta(gt=0, description="Longest statement (R3.2)")] = 10.0
    connect_seconds: Annotated[float, Meta(gt=0, description="Longest attempt to connect")] = 5.0


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Two servers: state must never be evicted, the cache may be lost at any moment (R4.3, R4.4)."""

    state_url: Annotated[str, Meta(description="Queue, sessions and limits: noeviction, AOF", pattern="^rediss?://")]
    cache_url: Annotated[str, Meta(description="Status cache and notices: allkeys-lru", pattern="^rediss?://")]
    command_seconds: Annotated[float, Meta(gt=0, description="Longest command, and longest attempt to connect")] = 2.0
    connections_max: Annotated[int, Meta(ge=4, description="Connections a process opens to each server at most")] = 100


class ObjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The S3 store that keeps uploaded files for a day."""

    endpoint: Annotated[str, Meta(description="host:port of the S3 store")]
    access_key: Annotated[str, Meta(description="Access key")]
    secret_key: Annotated[str, Meta(description="Secret key")]
    bucket: Annotated[str, Meta(description="Bucket of the uploads")] = "uploads"
    secure: Annotated[bool, Meta(description="Whether the store speaks HTTPS")] = False
    request_seconds: Annotated[float, Meta(gt=0, description="Longest single request, tried up to three times")] = 10.0
    concurrency_max: Annotated[int, Meta(ge=1, description="Requests under way at once in a process")] = 16


class UploadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be uploaded, and how long it is kept."""

    size_bytes_max: Annotated[int, Meta(ge=1, description="Largest file (R11.3)")] = 10 * MEBIBYTE
    pages_max: Annotated[int, Meta(ge=1, description="Most pages in a file (R1.4)")] = 100
    quota_bytes: Annotated[int, Meta(ge=1, description="Stored files of one account (R11.4)")] = 50 * MEBIBYTE
    keep_hours: Annotated[float, Meta(gt=0, description="Age at which an uploaded file is deleted (R11.5)")] = 24.0


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Retries, leases and the bounds of the queue."""

    retries_max: Annotated[int, Meta(ge=0, description="Retries after the first run (R2.1)")] = 3
    backoff_seconds_base: Annotated[
        float, Meta(gt=0, description="First retry's longest delay; doubles each time (R2.1)")
    ] = 2.0
    backoff_seconds_max: Annotated[float, Meta(gt=0, description="Longest delay before a retry")] = 60.0
    attempt_seconds_max: Annotated[float, Meta(gt=0, description="Longest attempt, from claim to result (R1.5)")] = (
        300.0
    )
    lease_seconds: Annotated[float, Meta(gt=0, description="A worker silent for so long has lost its job (R2.3)")] = 8.0
    heartbeat_seconds: Annotated[float, Meta(gt=0, description="How often a worker renews its lease")] = 2.5
    sweep_seconds: Annotated[
        float, Meta(gt=0, description="How often lost and due jobs are looked for; with the lease under 30 s (R2.3)")
    ] = 1.0
    ring_again_seconds: Annotated[
        float, Meta(gt=0, description="A due job that nobody claimed is announced again after")
    ] = 10.0
    sweep_rows_max: Annotated[int, Meta(ge=1, description="Rows that one sweep touches at most")] = 200
    pending_max: Annotated[int, Meta(ge=1, description="Waiting jobs at which uploads are refused (R2.2)")] = 500
    rate_window_seconds: Annotated[
        float, Meta(gt=0, description="Window over which the finishing rate is measured")
    ] = 60.0
    assumed_rate_per_minute: Annotated[
        float, Meta(gt=0, description="Rate assumed before any job has finished in the window")
    ] = 60.0
    message_hours_max: Annotated[
        float, Meta(gt=0, description="Age at which a message leaves the queue whatever happened (R2.4)")
    ] = 1.0
    messages_max: Annotated[
        int, Meta(ge=1, description="Messages in the queue; the oldest go, and jobs are rung again")
    ] = 10_000
    dead_letter_hours: Annotated[float, Meta(gt=0, description="How long a failure is kept for debugging (R2.5)")] = (
        24.0
    )
    retention_seconds: Annotated[
        float, Meta(gt=0, description="How often files, messages and dead letters past their time are removed")
    ] = 60.0
    status_cache_seconds_final: Annotated[int, Meta(ge=1, description="Caching of a finished status (R4.1)")] = 3600
    status_cache_seconds_pending: Annotated[int, Meta(ge=1, description="Caching of a pending status (R4.2)")] = 60


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


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The process that reads documents."""

    host: Annotated[str, Meta(description="Address of the health and metrics endpoint")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the health and metrics endpoint")] = 8100
    concurrency: Annotated[int, Meta(ge=1, le=64, description="Documents read at once (R11.1: two cores)")] = 2
    drain_seconds: Annotated[float, Meta(gt=0, description="Time that jobs under way get when the process stops")] = (
        30.0
    )
    memory_bytes_max: Annotated[int, Meta(ge=64 * MEBIBYTE, description="Memory of one reading child")] = 768 * MEBIBYTE
    cpu_seconds_max: Annotated[int, Meta(ge=1, description="Processor time of one reading child")] = 60
    sandbox_required: Annotated[
        tuple[Literal["landlock", "namespaces"], ...],
        Meta(description="Protections besides seccomp without which nothing is read: landlock, namespaces"),
    ] = ()


class CalendarSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar assumes where the schedule prints nothing."""

    exam_minutes: Annotated[int, Meta(ge=1, description="Length of an exam, marked as assumed")] = 180
    cancelled_days: Annotated[
        int, Meta(ge=1, description="How long a removed entry stays as cancelled in the file")
    ] = 30
    uid_domain: Annotated[
        str, Meta(description="Right-hand side of every UID; a change duplicates everybody's entries")
    ] = "upschedule.app"


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Logs are JSON lines on standard output."""

    level: Annotated[str, Meta(description="debug, info, warning or error", pattern="^(debug|info|warning|error)$")] = (
        "info"
    )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All groups. Handed to the composition root, which hands on the few values that each part needs."""

    postgres: PostgresSettings
    redis: RedisSettings
    objects: ObjectSettings
    uploads: UploadSettings = UploadSettings()
    jobs: JobSettings = JobSettings()
    limits: LimitSettings = LimitSettings()
    web: WebSettings
    worker: WorkerSettings = WorkerSettings()
    calendars: CalendarSettings = CalendarSettings()
    log: LogSettings = LogSettings()


class SettingField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as documented: `required` ones have no default."""

    variable: str
    group: str
    name: str
    annotation: Any
    default: object
    required: bool
    description: str


def fields(settings: type[msgspec.Struct] = Settings) -> Iterator[SettingField]:
    """Every setting, in the order of this file."""
    for group in msgspec.structs.fields(settings):
        for field in msgspec.structs.fields(group.type):
            metas = [m for m in typing.get_args(field.type)[1:] if isinstance(m, Meta)]
            yield SettingField(
                variable=f"{PREFIX}{group.name}_{field.name}".upper(),
                group=group.name,
                name=field.name,
                annotation=field.type,
                default=field.default,
                required=field.required,
                description=next((m.description for m in metas if m.description), ""),
            )


def load(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError with a line for each wrong, missing or unknown variable."""
    problems: list[str] = []
    values: dict[str, dict[str, object]] = {}
    known = {field.variable: field for field in fields()}
    for variable, field in known.items():
        group = values.setdefault(field.group, {})
        text = environment.get(variable)
        if text is not None:
            try:
                group[field.name] = _parse(text, field.annotation)
            except msgspec.ValidationError as error:
                problems.append(f"{variable}: {error} ({field.description})")
        elif field.required:
            problems.append(f"{variable}: must be set ({field.description})")
    problems += [f"{name}: no such setting" for name in environment if name.startswith(PREFIX) and name not in known]
    if problems:
        raise SettingsError("\n".join(sorted(problems)))
    return msgspec.convert(values, Settings)


def _parse(text: str, annotation: Any) -> object:
    base = typing.get_args(annotation)[0]
    if typing.get_origin(base) is tuple:
        return msgspec.convert([part.strip() for part in text.split(",") if part.strip()], annotation)
    if base is str or isinstance(base, types.UnionType):
        return msgspec.convert(text, annotation)
    return msgspec.convert(text, annotation, strict=False)
