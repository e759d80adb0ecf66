"""Samples what the processes of a stack use, once each interval, as JSON lines: `python -m perf.load.sampler`.

A process of its own, since looking at forty processes takes time in which the sender could send nothing. The standard
input holds a `Job`; it ends with SIGTERM, or when its parent has ended.
"""

import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress

import msgspec
import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_SECONDS = 2.0
#: Of a command line, what tells the part of the system; the first that fits.
_ROLES = (
    ("upschedule serve", "API"),
    ("upschedule work", "worker"),
    ("upschedule schedule", "scheduler"),
    ("pdf/sandbox", "sandbox"),
    ("valkey", "Redis"),
    ("redis-server", "Redis"),
    ("postgres", "PostgreSQL"),
    ("weed", "object store"),
    ("traefik", "Traefik"),
)
#: Counters, which only grow: a plot of them says nothing.
ATTEMPTS, ATTEMPT_SECONDS, CONNECTION_SECONDS = "attempts", "seconds of attempts", "seconds with a connection"
COUNTERS = frozenset({ATTEMPTS, ATTEMPT_SECONDS, CONNECTION_SECONDS})
#: Metrics that are sampled, by what they are called in a report: the metric and its labels. Instances are added up.
_GAUGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "jobs due": ("upschedule_queue_depth", {"state": "due"}),
    "jobs that are read": ("upschedule_queue_depth", {"state": "processing"}),
    "age of the oldest due job, s": ("upschedule_queue_age_seconds", {"state": "due"}),
    "requests that wait for a connection": ("upschedule_postgres_pool_waiting", {}),
    CONNECTION_SECONDS: ("upschedule_spent_seconds_sum", {"part": "postgres"}),
    ATTEMPT_SECONDS: ("upschedule_attempt_seconds_sum", {}),
    ATTEMPTS: ("upschedule_attempt_seconds_count", {}),
}
_TABLES = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           pg_database_size(current_database()),
           (SELECT sum(n_dead_tup) / greatest(1, sum(n_live_tup + n_dead_tup)) FROM pg_stat_user_tables)
"""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`generator` is the sender's process; `metrics` are addresses; `postgres` a connection string or empty."""

    supervisor: int
    generator: int
    interval_seconds: float
    metrics: tuple[str, ...]
    postgres: str


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds since the start, unshared memory and open files of all processes of one part."""

    cpu_seconds: float
    private_bytes: int
    files: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is the machine's monotonic clock, `machine_seconds` the processor time of all its programs since it started.

    `gauges` has what answered.
    """

    at: float
    machine_seconds: float
    parts: dict[str, Use]
    gauges: dict[str, float]


def samples(job: Job, stop: threading.Event) -> Iterator[Sample]:
    """Until `stop` is set."""
    spent = Spent()
    while not stop.is_set():
        began = time.monotonic()
        yield Sample(
            at=began,
            machine_seconds=_machine_seconds(),
            parts=uses(job, spent),
            gauges={**_gauges(job.metrics), **_tables(job.postgres)},
        )
        stop.wait(max(0.1, job.interval_seconds - (time.monotonic() - began)))


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait


class Spent:
    """Processor time of processes that have ended: a sum must never fall. Bounded by the processes that run."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[str, float]] = {}
        self._ended: dict[str, float] = {}

    def update(self, now: dict[int, tuple[str, float]]) -> dict[str, float]:
        """The seconds of the ended ones by part; `now` has the part and the seconds of each that runs."""
        for pid in self._running.keys() - now.keys():
            part, seconds = self._running[pid]
            self._ended[part] = self._ended.get(part, 0.0) + seconds
        self._running = now
        return self._ended


def uses(job: Job, spent: Spent) -> dict[str, Use]:
    found: dict[str, list[Use]] = {}
    running: dict[int, tuple[str, float]] = {}
    for process in _processes(job):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied), process.oneshot():
            part = "sender" if process.pid == job.generator else part_of(process)
            times, memory = process.cpu_times(), process.memory_info()
            use = Use(
                cpu_seconds=times.user + times.system,
                private_bytes=memory.rss - memory.shared,
                files=process.num_fds(),
            )
            found.setdefault(part, []).append(use)
            running[process.pid] = (part, use.cpu_seconds)
    for part, seconds in spent.update(running).items():
        found.setdefault(part, []).append(Use(cpu_seconds=seconds, private_bytes=0, files=0))
    return {part: _sum(uses) for part, uses in sorted(found.items())}


def _processes(job: Job) -> list[psutil.Process]:
    try:
        supervisor = psutil.Process(job.supervisor)
        return [psutil.Process(job.generator), supervisor, *supervisor.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def part_of(process: psutil.Process) -> str:
    """Returns `other` for a process that belongs to no part of the system."""
    command = " ".join(process.cmdline())
    return next((part for words, part in _ROLES if words in command), "other")


def _sum(uses: list[Use]) -> Use:
    return Use(
        cpu_seconds=sum(use.cpu_seconds for use in uses),
        private_bytes=sum(use.private_bytes for use in uses),
        files=sum(use.files for use in uses),
    )


def _gauges(addresses: tuple[str, ...]) -> dict[str, float]:
    """Added up over all instances: of several schedulers, only the one that leads exports the queue."""
    found: dict[str, float] = {}
    for address in addresses:
        with suppress(urllib.error.URLError, TimeoutError, ConnectionError):
            with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - of this machine
                text = answer.read().decode()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    for name, (metric, labels) in _GAUGES.items():
                        if sample.name == metric and labels.items() <= sample.labels.items():
                            found[name] = found.get(name, 0.0) + sample.value
    return found


def _tables(url: str) -> dict[str, float]:
    if not url:
        return {}
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute(_TABLES).fetchone()
    except psycopg.Error:
        return {}
    assert row is not None
    names = ("connections of PostgreSQL", "bytes of the database", "share of dead rows")
    return dict(zip(names, map(float, row), strict=True))


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    parent = os.getppid()
    for sample in samples(job, stop):
        sys.stdout.buffer.write(msgspec.json.encode(sample) + b"\n")
        sys.stdout.buffer.flush()
        if os.getppid() != parent:
            return


if __name__ == "__main__":
    main()
