"""Settings of uploads, the queue and the reading of documents."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from upschedule.settings.metadata import AMOUNT_MAX, LIVE, below

MEBIBYTE = 1024 * 1024


class UploadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be uploaded, and how long it is kept."""

    size_bytes_max: Annotated[int, Meta(ge=1, description="Largest file (R11.3)")] = 10 * MEBIBYTE
    pages_max: Annotated[int, Meta(ge=1, description="Most pages in a file (R1.4)")] = 100
    content_bytes_max: Annotated[
        int, Meta(ge=1, description="Most unpacked content of all pages of a file together (R1.5)")
    ] = 16 * MEBIBYTE
    quota_bytes: Annotated[
        int, Meta(ge=1, le=1024 * 1024 * MEBIBYTE, description="Stored files of one account (R11.4)"), LIVE
    ] = 50 * MEBIBYTE
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
    quick_cpu_seconds: Annotated[
        float,
        Meta(
            gt=0, description="Processor time of a first reading; a document that needs more waits among the slow ones"
        ),
    ] = 0.5
    share_half_life_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="Time after which half of the processor time that a visitor or an address has used is "
            "forgotten",
        ),
    ] = 600.0
    address_hours: Annotated[float, Meta(gt=0, description="How long the queue keeps the keyed hash of an address")] = (
        24.0
    )
    unused_days: Annotated[
        float,
        Meta(ge=30, le=3650, description="Days without a visit or a feed request until an account is deleted"),
    ] = 548.0
    lease_seconds: Annotated[float, Meta(gt=0, description="A worker silent for this time has lost its job (R2.3)")] = (
        8.0
    )
    heartbeat_seconds: Annotated[
        float,
        Meta(gt=0, description="How often a worker renews its lease; less than the lease"),
        below("lease_seconds"),
    ] = 2.5
    sweep_seconds: Annotated[
        float, Meta(gt=0, description="How often lost and due jobs are looked for; with the lease under 30 s (R2.3)")
    ] = 1.0
    ring_again_seconds: Annotated[
        float, Meta(gt=0, description="Time after which a due job that no worker has claimed is announced again")
    ] = 10.0
    sweep_rows_max: Annotated[int, Meta(ge=1, description="Rows that one sweep touches at most")] = 200
    pending_max: Annotated[
        int, Meta(ge=1, le=AMOUNT_MAX, description="Waiting jobs at which uploads are refused (R2.2)"), LIVE
    ] = 500
    pending_reserve: Annotated[
        int,
        Meta(
            ge=0,
            le=AMOUNT_MAX,
            description="Further places, only for addresses that hold fewer of them than are free (R2.2)",
        ),
        LIVE,
    ] = 100
    rate_window_seconds: Annotated[
        float, Meta(gt=0, description="Window over which the finishing rate is measured")
    ] = 60.0
    assumed_rate_per_minute: Annotated[
        float, Meta(gt=0, description="Rate assumed before any job has finished in the window")
    ] = 60.0
    message_hours_max: Annotated[
        float, Meta(gt=0, description="Age at which a message leaves the queue in any case (R2.4)")
    ] = 1.0
    messages_max: Annotated[
        int,
        Meta(
            ge=1, description="Most messages in the queue; the oldest are dropped, and their jobs are announced again"
        ),
    ] = 10_000
    report_days: Annotated[
        float, Meta(gt=0, le=3650, description="How long a row that a student reported as wrong is kept")
    ] = 90.0
    report_file_days: Annotated[
        float, Meta(gt=0, le=365, description="How long its file is kept where the student agreed")
    ] = 14.0
    dead_letter_hours: Annotated[float, Meta(gt=0, description="How long a failure is kept for debugging (R2.5)")] = (
        24.0
    )
    retention_seconds: Annotated[
        float, Meta(gt=0, description="How often files, messages and dead letters past their time are removed")
    ] = 60.0
    picture_seconds_max: Annotated[
        float, Meta(gt=0, le=10, description="Longest wait for the picture of a row, before its text alone is shown")
    ] = 4.0
    status_cache_seconds_final: Annotated[int, Meta(ge=1, description="Caching of a finished status (R4.1)")] = 3600
    status_cache_seconds_pending: Annotated[int, Meta(ge=1, description="Caching of a pending status (R4.2)")] = 60


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The process that reads documents."""

    host: Annotated[str, Meta(description="Address of the health and metrics endpoint")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the health and metrics endpoint")] = 8100
    concurrency: Annotated[int, Meta(ge=1, le=64, description="Documents read at once (R11.1: two cores)")] = 2
    drain_seconds: Annotated[float, Meta(gt=0, description="Time that jobs under way get when the process stops")] = (
        30.0
    )
    memory_bytes_max: Annotated[int, Meta(ge=64 * MEBIBYTE, description="Memory of one reading child")] = 768 * MEBIBYTE
    cpu_seconds_max: Annotated[
        int, Meta(ge=1, description="Processor time of one reading, beyond which the file is refused (R1.5)")
    ] = 10
    slow_concurrency: Annotated[
        int,
        Meta(ge=1, le=64, description="Most slow documents among those that are read at the same time"),
    ] = 1
    picture_cpu_seconds: Annotated[float, Meta(gt=0, description="Processor time of drawing the picture of a row")] = (
        1.0
    )
    picture_bytes_max: Annotated[
        int, Meta(ge=1024, le=MEBIBYTE, description="Largest picture of a row; a larger one is not shown")
    ] = 262_144
    sandbox_required: Annotated[
        tuple[Literal["landlock", "namespaces"], ...],
        Meta(
            description="Further protections, besides seccomp, without which the worker reads nothing: "
            "landlock, namespaces"
        ),
    ] = ()
