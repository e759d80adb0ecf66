"""Settings of connections: addresses of the servers, and timeouts."""

from typing import Annotated

import msgspec
from msgspec import Meta

from upschedule.settings.metadata import AUTHORITY, DAY_SECONDS, LIVE, SECRET, at_most, url_of

#: S3 stores without regions accept it.
DEFAULT_REGION = "us-east-1"
#: What the client takes for the name of a region.
REGION = "^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$"
_REDIS_URL = rf"^rediss?://([^\s/?#@]*@)?{AUTHORITY}([/?].*)?$"


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL holds the truth: accounts, jobs, entries, calendars."""

    url: Annotated[
        str,
        Meta(description="Connection string of the application's role", pattern="^postgres(ql)?://"),
        SECRET,
        url_of("postgresql"),
    ]
    owner_url: Annotated[
        str | None,
        Meta(description="Connection string of the role that owns the tables; migrations only"),
        SECRET,
        url_of("postgresql"),
    ] = None
    backup_url: Annotated[
        str | None,
        Meta(description="Connection string of the role that reads everything; backups only"),
        SECRET,
        url_of("postgresql"),
    ] = None
    pool_size_min: Annotated[
        int, Meta(ge=0, description="Connections an API process keeps open (R3.1)"), at_most("pool_size_max")
    ] = 50
    pool_size_max: Annotated[int, Meta(ge=1, description="Connections an API process opens at most (R3.1)")] = 80
    worker_pool_size_min: Annotated[
        int, Meta(ge=0, description="Connections a worker or scheduler keeps open"), at_most("worker_pool_size_max")
    ] = 2
    worker_pool_size_max: Annotated[int, Meta(ge=1, description="Connections a worker or scheduler opens at most")] = 8
    pool_waiting_max: Annotated[
        int, Meta(ge=1, description="Requests that may wait for a connection; more are refused")
    ] = 1000
    wait_seconds: Annotated[float, Meta(gt=0, description="Longest wait for a connection (R3.3, R3.5)")] = 30.0
    statement_seconds: Annotated[
        float, Meta(gt=0, le=DAY_SECONDS, description="Longest time of a statement (R3.2)")
    ] = 10.0
    connect_seconds: Annotated[float, Meta(gt=0, le=DAY_SECONDS, description="Longest attempt to connect")] = 5.0


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Two servers: state must never be evicted, the cache may be lost at any moment (R4.3, R4.4)."""

    state_url: Annotated[
        str,
        Meta(
            description="Redis for the queue, limits and cached sessions; needs noeviction and an append-only file",
            pattern=_REDIS_URL,
        ),
        SECRET,
        url_of("redis"),
    ]
    cache_url: Annotated[
        str,
        Meta(description="Redis for the status cache and status events; needs allkeys-lru", pattern=_REDIS_URL),
        SECRET,
        url_of("redis"),
    ]
    command_seconds: Annotated[
        float, Meta(gt=0, le=DAY_SECONDS, description="Longest time of a command, and of an attempt to connect")
    ] = 2.0
    connections_max: Annotated[int, Meta(ge=4, description="Connections a process opens to each server at most")] = 100


class ObjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The S3 store that keeps uploaded files for a day."""

    endpoint: Annotated[str, Meta(description="host:port of the S3 store", pattern=f"^{AUTHORITY}$"), url_of("host")]
    access_key: Annotated[str, Meta(min_length=1, description="Access key"), SECRET]
    secret_key: Annotated[str, Meta(min_length=1, description="Secret key"), SECRET]
    bucket: Annotated[str, Meta(description="Bucket of the uploads")] = "uploads"
    secure: Annotated[bool, Meta(description="Whether the store speaks HTTPS")] = False
    region: Annotated[str, Meta(description="Region that the store expects in signatures", pattern=REGION)] = (
        DEFAULT_REGION
    )
    request_seconds: Annotated[
        float, Meta(gt=0, description="Longest time of a single request; a failed request is tried up to three times")
    ] = 10.0
    concurrency_max: Annotated[int, Meta(ge=1, description="Requests under way at once in a process")] = 16


class ConsulSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The Consul agent whose keys change live settings. Without an answer, the settings keep their values."""

    address: Annotated[
        str,
        Meta(
            description="http://host:port of an agent, or https; empty: no live settings are read",
            pattern=f"^(https?://{AUTHORITY})?$",
        ),
        url_of("origin"),
    ] = ""
    token: Annotated[
        str | None, Meta(description='Token that may read keys below "upschedule/", and no more'), SECRET
    ] = None
    wait_seconds: Annotated[
        float, Meta(ge=1, le=600, description="How long the agent may hold a request while nothing changes")
    ] = 55.0
    request_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="Longest time of an attempt to connect, and longest delay of an answer beyond the held time",
        ),
    ] = 5.0
    start_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Longest wait for the first answer at start; after it, the values of the environment are used",
        ),
    ] = 3.0
    retry_seconds_max: Annotated[float, Meta(gt=0, description="Longest pause before asking again")] = 30.0
    answer_bytes_max: Annotated[
        int, Meta(ge=1024, description="Largest answer; a larger one is rejected as a whole")
    ] = 1024 * 1024


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Logs are JSON lines on standard output."""

    level: Annotated[
        str, Meta(description="debug, info, warning or error", pattern="^(debug|info|warning|error)$"), LIVE
    ] = "info"
