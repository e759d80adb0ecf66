"""What every command talks to."""

from collections.abc import Callable
from dataclasses import dataclass

from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import Consul
from upschedule.deploy.nomad import Nomad

#: In the order of promotion: workers before the API that hands them work, so that nothing new meets an old reader.
JOBS = ("worker", "scheduler", "api")
API = "api"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`say` prints a line."""

    nomad: Nomad
    consul: Consul
    clock: Clock
    say: Callable[[str], None]
