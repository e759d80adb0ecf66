"""What one visit costs, as a load test measured it (`nox -s load_capacity`)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

#: The parts of the system whose number of instances follows the load; the names are those of the load test's report.
API, WORKER, SANDBOX = "API", "worker", "sandbox"


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """A visit is a page, an upload with the questions for its status, the timetable, a calendar and its feed.

    `cores` is the processor time of one visit in seconds, by part. `idle_cores` is what each part uses without a visit.
    `reading_seconds` is the time for which a document occupies its place in a worker.
    """

    measured: str
    requests: float
    cores: Mapping[str, float]
    idle_cores: Mapping[str, float]
    reading_seconds: float
    connection_seconds: float
    redis_bytes: float
    database_bytes: float

    def used_cores(self, visits_per_second: float) -> float:
        """The sum of the cores of all parts."""
        return sum(self.idle_cores.values()) + visits_per_second * sum(self.cores.values())


@cache
def load() -> Costs:
    """The costs that were measured for this release."""
    return msgspec.json.decode(Path(__file__).with_name("costs.json").read_bytes(), type=Costs)
