"""Every metric of the system, declared once: name, labels and what it tells. Nothing else may create one.

Labels are bounded: never an id, an address or a path with an id in it.
"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "upschedule_http_requests",
    "Requests answered; `fault`: yes for a 5xx that is no back-pressure, which anybody can bring about",
    ["method", "route", "status", "fault"],
)
REQUEST_SECONDS = Histogram(
    "upschedule_http_request_seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30),
)
STREAMS_OPEN = Gauge("upschedule_status_streams_open", "Status streams open now")
LIMITED = Counter("upschedule_limited_requests", "Requests refused by a limit", ["limit"])
LIMITER_UNAVAILABLE = Counter(
    "upschedule_limiter_unavailable", "Requests let through because Redis was away", ["limit"]
)

JOBS_ACCEPTED = Counter("upschedule_jobs_accepted", "Uploads taken in", ["outcome"])
JOBS_FINISHED = Counter("upschedule_jobs_finished", "Attempts that ended", ["outcome"])
JOB_SECONDS = Histogram(
    "upschedule_job_seconds",
    "Time from upload to final state",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300),
)
ATTEMPT_SECONDS = Histogram(
    "upschedule_attempt_seconds",
    "Time of one attempt, from claim to result",
    ["outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300),
)
# Each process shows its own, which tells those of a canary from those of the release before.
READINGS = Counter(
    "upschedule_readings",
    "Documents whose reading ended; `layout`: lectures, tests, exams, mixed, none, or unknown of a failed one;"
    " `outcome`: read, warned, or the code of the error",
    ["layout", "outcome"],
)
EVENTS_READ = Counter("upschedule_events_read", "Events of the documents that were read", ["layout"])
CANARY_MESSAGES = Counter(
    "upschedule_canary_messages", "Wake-up messages that a canary heard, by what it did", ["outcome"]
)
PAGES_READ = Counter("upschedule_pages_read", "Pages read completely")
# The schedulers' own: labelled, so that other processes do not show them as 0.
QUEUE_DEPTH = Gauge(
    "upschedule_queue_depth",
    "Jobs that are due, that wait for their retry, that wait to be read again, that are read",
    ["state"],
)
QUEUE_AGE_SECONDS = Gauge("upschedule_queue_age_seconds", "How long the oldest due job has been due", ["state"])
QUEUE_FINISHED_PER_MINUTE = Gauge(
    "upschedule_queue_finished_per_minute", "Runs finished a minute of the time in which any was under way", ["window"]
)
QUEUE_PAUSED = Gauge("upschedule_queue_paused", "1 while an operator has paused the queue", ["queue"])
OPERATOR_ACTIONS = Counter("upschedule_operator_actions", "Changes by `upschedule ops`", ["action"])
LEADING = Gauge("upschedule_scheduler_leading", "1 for the scheduler that leads")
JOBS_SWEPT = Counter("upschedule_jobs_swept", "Jobs that the sweeper moved or announced again", ["reason"])
PROVISIONAL_READINGS = Counter(
    "upschedule_provisional_readings",
    "Readings of a release that were confirmed or, after the release was left, read again or kept without their file",
    ["outcome"],
)
STALE_RESULTS = Counter("upschedule_stale_results", "Results refused because the attempt was no longer the owner")
CACHE_LOOKUPS = Counter("upschedule_status_cache_lookups", "Lookups of the status cache", ["outcome"])
RETENTION_REMOVED = Counter("upschedule_retention_removed", "Things removed at the end of their time", ["kind"])

DEPENDENCY_UP = Gauge("upschedule_dependency_up", "1 while the dependency answers", ["dependency"])
POOL_CONNECTIONS = Gauge("upschedule_postgres_pool_connections", "Connections of the pool", ["state"])
POOL_WAITING = Gauge("upschedule_postgres_pool_waiting", "Requests that wait for a connection")
SETTINGS_AGE_SECONDS = Gauge(
    "upschedule_settings_age_seconds", "Time since Consul last answered; 0 where nothing is watched"
)
SETTINGS_CHANGED = Counter("upschedule_settings_changed", "Settings that took another value from Consul's keys")
SETTINGS_REFUSED = Counter("upschedule_settings_refused", "Values of Consul's keys that were refused")
