"""The queueing model: arrivals are a Poisson process, and documents wait for a free place in a worker (Erlang C)."""

import math
from collections.abc import Mapping

import msgspec

from upschedule.sizing.costs import API, SANDBOX, WORKER, Costs

#: An instance of the API has one core (R11.2), and one of the worker has two (R11.1).
API_CORES, WORKER_CORES = 1, 2
#: R10.1, R10.2, R3.1, R4.3 and the memory of Redis state.
API_MIN, API_MAX, WORKERS_MIN, WORKERS_MAX = 2, 20, 2, 50
CONNECTIONS_MAX = 100
REDIS_BYTES_MAX = 3 * 1024**3
#: The part of the documents that may wait longer than the bound.
LATE_MAX = 0.05


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """`students` visit within `minutes`, and each stays for `visit_seconds`.

    The busiest minute brings `peak` times as many as the average one.
    """

    students: int
    minutes: float
    peak: float
    visit_seconds: float

    @property
    def visits_per_second(self) -> float:
        """The visits in the busiest minute."""
        return self.students / (60 * self.minutes) * self.peak


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`utilisation` is the part of an instance's cores that is planned for, so that latency stays low.

    `wait_seconds` is how long 95 % of the documents wait at most for a place in a worker; a worker reads
    `worker_places` documents at a time. `requests_per_second_max` is the limit of the service (R5.4).
    """

    utilisation: float
    wait_seconds: float
    worker_places: int
    requests_per_second_max: int


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """What the load needs. `cores` is by part; `connections` are those to PostgreSQL that are in use at once."""

    visits_per_second: float
    requests_per_second: float
    students_at_once: float
    api_instances: int
    worker_instances: int
    connections: int
    redis_bytes: float
    database_bytes: float
    cores: Mapping[str, float]
    exceeded: tuple[str, ...]


def size(load: Load, costs: Costs, bounds: Bounds) -> Sizing:
    """The smallest numbers of instances that serve the load within the bounds; `exceeded` names what is too low."""
    rate = load.visits_per_second
    cores = {
        part: costs.idle_cores.get(part, 0.0) + rate * costs.cores.get(part, 0.0)
        for part in sorted(costs.cores.keys() | costs.idle_cores.keys())
    }
    api = max(API_MIN, math.ceil(rate * costs.cores[API] / (API_CORES * bounds.utilisation)))
    reading_cores = rate * (costs.cores[WORKER] + costs.cores.get(SANDBOX, 0.0))
    workers = max(
        WORKERS_MIN,
        math.ceil(reading_cores / (WORKER_CORES * bounds.utilisation)),
        _instances_for_wait(rate, costs, bounds),
    )
    busy_connections = rate * costs.connection_seconds
    sizing = Sizing(
        visits_per_second=rate,
        requests_per_second=rate * costs.requests,
        students_at_once=rate * load.visit_seconds,
        api_instances=api,
        worker_instances=workers,
        # A number that varies as a Poisson process does is rarely above three standard deviations.
        connections=math.ceil(busy_connections + 3 * math.sqrt(busy_connections)),
        redis_bytes=load.students * costs.redis_bytes,
        database_bytes=load.students * costs.database_bytes,
        cores=cores,
        exceeded=(),
    )
    return msgspec.structs.replace(sizing, exceeded=tuple(_exceeded(sizing, bounds)))


def waiting_probability(offered: float, places: int) -> float:
    """Erlang's C formula: how likely a document finds no free place, where `offered` places are busy on average."""
    if offered >= places:
        return 1.0
    # Erlang's B by its recursion, which neither overflows nor needs factorials.
    blocked = 1.0
    for place in range(1, places + 1):
        blocked = offered * blocked / (place + offered * blocked)
    return blocked / (1 - offered / places * (1 - blocked))


def late_probability(rate: float, reading_seconds: float, places: int, wait_seconds: float) -> float:
    """That a document waits longer than `wait_seconds`."""
    offered = rate * reading_seconds
    if offered >= places:
        return 1.0
    return waiting_probability(offered, places) * math.exp(-(places - offered) / reading_seconds * wait_seconds)


def _instances_for_wait(rate: float, costs: Costs, bounds: Bounds) -> int:
    instances = max(1, math.ceil(rate * costs.reading_seconds / bounds.worker_places))
    while _late(rate, costs, instances * bounds.worker_places, bounds) > LATE_MAX:
        instances += 1
    return instances


def _late(rate: float, costs: Costs, places: int, bounds: Bounds) -> float:
    return late_probability(rate, costs.reading_seconds, places, bounds.wait_seconds)


def _exceeded(sizing: Sizing, bounds: Bounds) -> list[str]:
    found: list[str] = []
    if sizing.api_instances > API_MAX:
        found.append(f"{sizing.api_instances} API instances are more than the {API_MAX} to which they scale (R10.1).")
    if sizing.worker_instances > WORKERS_MAX:
        found.append(f"{sizing.worker_instances} workers are more than the {WORKERS_MAX} to which they scale (R10.2).")
    if sizing.requests_per_second > bounds.requests_per_second_max:
        found.append(
            f"{sizing.requests_per_second:.0f} requests a second are more than the "
            f"{bounds.requests_per_second_max} that all clients together may send (R5.4): raise the setting "
            "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND."
        )
    if sizing.connections > CONNECTIONS_MAX:
        found.append(f"{sizing.connections} connections are more than the {CONNECTIONS_MAX} of the pool (R3.1).")
    if sizing.redis_bytes > REDIS_BYTES_MAX:
        found.append(f"{sizing.redis_bytes / 1024**3:.1f} GB are more than both Redis may use (R4.3).")
    return found
