"""The initial number of instances, and the resources of each (R10.1, R10.2, R11.1, R11.2)."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from parts.application import ApplicationConfig, scaling_variables
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.whole_program import RELEASED, up

COUNTS = st.integers(1, 60)


def test_each_service_has_its_own_sizes(nomad: Nomad) -> None:
    """The variables have the names that Nomad uses."""
    settings = {"apiCores": "0", "apiCpuMhz": "500", "apiMemoryMb": "600", "workerInstances": "9", "workerCores": "3"}
    ran = up({**RELEASED, **settings, "scalingEnabled": "false", "schedulerInstances": "5"})
    names = ("cores", "cpu", "memory_mb", "instances", "instances_min", "instances_max", "scaling_enabled")

    assert [ran.variables("api")[name] for name in names] == ["0", "500", "600", "2", "2", "20", "false"]
    assert [ran.variables("worker")[name] for name in names] == ["3", "2000", "2048", "9", "2", "50", "false"]
    assert ran.variables("scheduler")["instances"] == "5"


def test_bounds_alone_are_enough(nomad: Nomad) -> None:
    """docs/runbooks/scale.md sets only the bounds.

    Nomad refuses a number outside of them, even if it is the running one.
    """
    ran = up({**RELEASED, "apiInstancesMin": "3", "workerInstancesMin": "3"})

    assert ran.variables("api")["instances"] == "3"
    assert ran.variables("worker")["instances"] == "3"


@given(COUNTS, COUNTS, COUNTS)
@settings(deadline=None)
def test_the_first_number_is_the_nearest_within_the_bounds(first: int, one: int, other: int) -> None:
    """The configured number is used if it is within the bounds."""
    least, most = sorted((one, other))
    settings = ApplicationConfig(
        public_url="-", worker_instances=first, worker_instances_min=least, worker_instances_max=most
    )
    found = int(scaling_variables(settings, "worker")["instances"])

    assert least <= found <= most
    assert abs(found - first) == min(abs(number - first) for number in range(least, most + 1))
    assert scaling_variables(msgspec.structs.replace(settings, worker_instances=found), "worker") == scaling_variables(
        settings, "worker"
    )
