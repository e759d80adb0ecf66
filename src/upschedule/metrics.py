"""Declares every metric of the system: name, unit, meaning and labels. No other module may create one.

`docs/metrics.md` is written from here by `python -m tools.metrics_page`.

Labels are bounded: never an id, an address or a path with an id in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One row of the page. `name` is as a scrape shows it; a histogram also has `_bucket` and `_count`."""

    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    sentence: str


_declared: list[Declaration] = []


def declarations() -> Sequence[Declaration]:
    """All metrics, in the order of this module."""
    return tuple(_declared)


def _counter(name: str, unit: str, sentence: str, labels: Sequence[str] = ()) -> Counter:
    _declare(f"{name}_total", "counter", unit, sentence, labels)
    return Counter(name, sentence, labels)


def _gauge(name: str, unit: str, sentence: str, labels: Sequence[str] = ()) -> Gauge:
    _declare(name, "gauge", unit, sentence, labels)
    return Gauge(name, sentence, labels)


def _histogram(
    name: str, unit: str, sentence: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
) -> Histogram:
    _declare(name, "histogram", unit, sentence, labels)
    return Histogram(name, sentence, labels, buckets=buckets)


def _declare(name: str, kind: str, unit: str, sentence: str, labels: Sequence[str]) -> None:
    _declared.append(Declaration(name=name, kind=kind, unit=unit, labels=tuple(labels), sentence=sentence))


REQUESTS = _counter(
    "upschedule_http_requests",
    "requests",
    "Requests answered; `fault`: yes for a 5xx that is no back-pressure, which any client can cause",
    ["method", "route", "status", "fault"],
)
REQUEST_SECONDS = _histogram(
    "upschedule_http_request_seconds",
    "seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30),
)
STREAMS_OPEN = _gauge("upschedule_status_streams_open", "streams", "Status streams open now")
LIMITED = _counter("upschedule_limited_requests", "requests", "Requests refused by a limit", ["limit"])
LIMITER_UNAVAILABLE = _counter(
    "upschedule_limiter_unavailable", "requests", "Requests let through because Redis was away", ["limit"]
)

JOBS_ACCEPTED = _counter("upschedule_jobs_accepted", "uploads", "Uploads taken in", ["outcome"])
UPLOADS_REFUSED = _counter(
    "upschedule_uploads_refused",
    "uploads",
    "Received files that were refused for content, quota or a full queue; `cause`: the code of the error",
    ["cause"],
)
JOBS_FINISHED = _counter("upschedule_jobs_finished", "attempts", "Attempts that ended", ["outcome"])
JOB_SECONDS = _histogram(
    "upschedule_job_seconds",
    "seconds",
    "Time from upload to final state",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300),
)
ATTEMPT_SECONDS = _histogram(
    "upschedule_attempt_seconds",
    "seconds",
    "Time of one attempt, from claim to result",
    ["outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300),
)
JOB_STAGE_SECONDS = _histogram(
    "upschedule_job_stage_seconds",
    "seconds",
    "Time of each stage of an attempt; `stage`: waiting (from being due to the claim), fetching, reading, storing",
    ["stage"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
SPENT_SECONDS = _histogram(
    "upschedule_spent_seconds",
    "seconds",
    "Where the time of a request or an attempt went; `part`: pool (waiting for a connection), postgres (holding one),"
    " redis, objects, sandbox",
    ["part"],
    buckets=(0.005, 0.025, 0.1, 0.5, 1, 5, 30),
)
# Each process shows its own, which tells those of a canary from those of the release before.
READINGS = _counter(
    "upschedule_readings",
    "documents",
    "Documents whose reading ended; `layout`: lectures, tests, exams, mixed, none, or unknown of a failed one;"
    " `outcome`: read, warned, or the code of the error",
    ["layout", "outcome"],
)
# Each number of events has a bucket of its own, so that one event less shows in the comparison of two releases.
EVENTS_READ = _histogram(
    "upschedule_events_read",
    "events",
    "Events of each document that was read",
    ["layout"],
    buckets=(*range(61), 80, 100),
)
CANARY_MESSAGES = _counter(
    "upschedule_canary_messages", "messages", "Wake-up messages that a canary received, by what it did", ["outcome"]
)
DEAD_LETTERS = _counter(
    "upschedule_dead_letters",
    "letters",
    "Dead letters of jobs whose reading ended without a result; `cause`: the code of the error",
    ["cause"],
)
SANDBOX_READINGS = _counter(
    "upschedule_sandbox_readings",
    "readings",
    "Readings that ended in the sandbox; `outcome`: read, refused (by the reader), crashed, limit (memory, processor"
    " time or size of the result), timeout, quantum (a first, short reading), failed, cancelled",
    ["outcome"],
)
SANDBOX_STARTS = _counter("upschedule_sandbox_starts", "processes", "Starts of the zygote; more than one: it ended")
PAGES_READ = _counter("upschedule_pages_read", "pages", "Pages read completely")
# The schedulers' own: labelled, so that other processes do not show them as 0.
QUEUE_DEPTH = _gauge(
    "upschedule_queue_depth",
    "jobs",
    "Jobs that are due, that wait for their retry, that wait to be read again, that are read",
    ["state"],
)
QUEUE_AGE_SECONDS = _gauge(
    "upschedule_queue_age_seconds", "seconds", "How long the oldest due job has been due", ["state"]
)
QUEUE_FINISHED_PER_MINUTE = _gauge(
    "upschedule_queue_finished_per_minute",
    "jobs a minute",
    "Runs finished a minute of the time in which any was under way",
    ["window"],
)
QUEUE_PAUSED = _gauge("upschedule_queue_paused", "0 or 1", "1 while an operator has paused the queue", ["queue"])
OPERATOR_ACTIONS = _counter("upschedule_operator_actions", "changes", "Changes by `upschedule ops`", ["action"])
LEADING = _gauge("upschedule_scheduler_leading", "0 or 1", "1 for the scheduler that leads")
JOBS_SWEPT = _counter("upschedule_jobs_swept", "jobs", "Jobs that the sweeper moved or announced again", ["reason"])
PROVISIONAL_READINGS = _counter(
    "upschedule_provisional_readings",
    "documents",
    "Readings that were confirmed with their release or, if it was abandoned, read again or kept without their file",
    ["outcome"],
)
STALE_RESULTS = _counter(
    "upschedule_stale_results", "results", "Results refused because the attempt was no longer the owner"
)
CACHE_LOOKUPS = _counter("upschedule_status_cache_lookups", "lookups", "Lookups of the status cache", ["outcome"])
SESSION_LOOKUPS = _counter(
    "upschedule_session_lookups",
    "lookups",
    "Sessions that requests named; `outcome`: cached (in Redis), stored (in PostgreSQL), unknown",
    ["outcome"],
)
SESSIONS_BEGUN = _counter("upschedule_sessions_begun", "sessions", "Sessions of visitors that began")
PICTURES = _counter(
    "upschedule_pictures",
    "pictures",
    "Pictures of rows that were asked for, by outcome: drawn, none in time, too many at once, file gone",
    ["outcome"],
)
ROWS_REPORTED = _counter(
    "upschedule_rows_reported", "reports", "Rows that students reported as wrong, with or without the file", ["file"]
)
MAILS = _counter(
    "upschedule_mails",
    "attempts",
    "Attempts to send mail, by outcome: sent, refused for good, failed and tried again, given up",
    ["outcome"],
)
RETENTION_REMOVED = _counter(
    "upschedule_retention_removed", "things", "Things removed at the end of their time", ["kind"]
)

DEPENDENCY_UP = _gauge("upschedule_dependency_up", "0 or 1", "1 while the dependency answers", ["dependency"])
POOL_CONNECTIONS = _gauge("upschedule_postgres_pool_connections", "connections", "Connections of the pool", ["state"])
POOL_WAITING = _gauge("upschedule_postgres_pool_waiting", "requests", "Requests that wait for a connection")
RELEASE_INFO = _gauge(
    "upschedule_release_info",
    "1",
    "Always 1; the labels say which release and which version of the reader the process runs",
    ["release", "reader"],
)
SETTINGS_AGE_SECONDS = _gauge(
    "upschedule_settings_age_seconds", "seconds", "Time since Consul last answered; 0 where nothing is watched"
)
SETTINGS_CHANGED = _counter(
    "upschedule_settings_changed", "settings", "Settings that took another value from Consul's keys"
)
SETTINGS_REFUSED = _counter("upschedule_settings_refused", "values", "Values of Consul's keys that were refused")
# A time instead of a counter: a supervisor that was killed shows it again.
BACKUP_TIME = _gauge(
    "upschedule_backup_time_seconds",
    "seconds",
    "When the newest backup that was verified was made, in Unix time",
    ["state"],
)
BACKUP_DURATION_SECONDS = _gauge(
    "upschedule_backup_duration_seconds",
    "seconds",
    "How long the newest verified backup took; `part`: backup, verification",
    ["part"],
)
BACKUP_SIZE_BYTES = _gauge(
    "upschedule_backup_size_bytes",
    "bytes",
    "Size of the newest verified backup; `of`: database, repository (compressed)",
    ["of"],
)
BACKUP_RUN_TIME = _gauge(
    "upschedule_backup_run_time_seconds",
    "seconds",
    "When the last run of the backup began, in Unix time; `outcome`: running, verified, not verified, failed, killed; "
    "none: there was no run, and the first release was prepared then",
    ["outcome"],
)
RESTORE_DRILL_TIME = _gauge(
    "upschedule_restore_drill_time_seconds",
    "seconds",
    "When restore drills began, in Unix time; `outcome`: passed (the newest that did), failed (the last one, if it did "
    "or was killed); none: none has passed, and the first backup that counts was made then",
    ["outcome"],
)
# Of one process, labelled so that others do not show them as 0.
OBJECT_COPIES = _gauge(
    "upschedule_object_copies",
    "files",
    "Files of documents that may still be read; `state`: needed, lost (rows name them, the object store lacks them)",
    ["state"],
)
OBJECT_COPIES_TIME = _gauge(
    "upschedule_object_copies_time_seconds",
    "seconds",
    "When the last pass over these files ended, or before the first one the process began, in Unix time",
    ["state"],
)
SAVED_STATE_TIME = _gauge(
    "upschedule_saved_state_time_seconds",
    "seconds",
    "When the newest set of saved state was saved, in Unix time; `set`: servers, stack, keys; absent if there is none",
    ["set"],
)
ARCHIVE_GAP_TIME = _gauge(
    "upschedule_archive_gap_time_seconds",
    "seconds",
    "When the first segment after the newest gap in the archive of the write-ahead log was stored, in Unix time; "
    "absent if there is no gap",
    ["state"],
)
RELEASE_VERDICT_TIME = _gauge(
    "upschedule_release_verdict_time_seconds",
    "seconds",
    "When the watch of the last release ended, in Unix time; `verdict`: passed, accepted, reverted, not reverted, left",
    ["verdict"],
)
RELEASES_TO_REVERT_TO = _gauge(
    "upschedule_releases_to_revert_to",
    "releases",
    "Readable records of releases before the present one; missing while the first release runs",
    ["state"],
)
# Of one process, labelled so that others do not show them as 0. `document`: lectures, tests, exams, or all for what
# concerns the three together.
SYNTHETIC_SUCCESS = _gauge(
    "upschedule_synthetic_success",
    "0 or 1",
    "1 if the synthetic student's last run came to its end, right or wrong",
    ["document"],
)
SYNTHETIC_DIFFERENCES = _gauge(
    "upschedule_synthetic_differences",
    "differences",
    "Fields and entries of the last run that were not as expected",
    ["document"],
)
SYNTHETIC_STAGE_SECONDS = _gauge(
    "upschedule_synthetic_stage_seconds",
    "seconds",
    "Time of each stage of the last run; `stage`: upload, reading, timetable, sign-in, left-overs, calendar, feed,"
    " deletion",
    ["document", "stage"],
)
SYNTHETIC_SUCCESS_TIME = _gauge(
    "upschedule_synthetic_success_time_seconds",
    "seconds",
    "When the last run ended in which everything was right, in Unix time",
    ["document"],
)
SYNTHETIC_RUN_TIME = _gauge(
    "upschedule_synthetic_run_time_seconds",
    "seconds",
    "When the last run ended, or before the first one the process began, in Unix time",
    ["document"],
)
SYNTHETIC_RUNS = _counter(
    "upschedule_synthetic_runs", "runs", "Runs that ended; `outcome`: right, wrong, failed", ["document", "outcome"]
)
