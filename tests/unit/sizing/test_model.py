"""The queueing model is compared with known values. A load above a limit of the service is refused with a sentence."""

import math

import pytest
import yaml

from tests.support.paths import ROOT
from upschedule.cli.capacity import command
from upschedule.sizing.costs import API, SANDBOX, WORKER, Costs, load
from upschedule.sizing.model import Bounds, Load, late_probability, size, waiting_probability

COSTS = Costs(
    measured="for this test",
    requests=8,
    cores={API: 0.1, WORKER: 0.02, SANDBOX: 0.04, "PostgreSQL": 0.03},
    idle_cores={API: 0.01, "scheduler": 0.02},
    reading_seconds=0.2,
    connection_seconds=0.1,
    redis_bytes=1000,
    database_bytes=2000,
)
BOUNDS = Bounds(utilisation=0.5, wait_seconds=1, worker_places=2, requests_per_second_max=100)


def visits(per_second: float) -> Load:
    """A load with this number of visits per second, spread evenly over an hour."""
    return Load(students=round(3600 * per_second), minutes=60, peak=1, visit_seconds=60)


@pytest.mark.parametrize(
    ("offered", "places", "waits"),
    [(0.5, 1, 0.5), (1.0, 2, 1 / 3), (2.0, 3, 4 / 9), (2.0, 2, 1.0), (3.0, 2, 1.0), (0.0, 4, 0.0)],
)
def test_the_probability_to_wait_is_erlangs(offered: float, places: int, waits: float) -> None:
    """With one place, the probability is the utilisation. The other values were computed by hand from the formula."""
    assert waiting_probability(offered, places) == pytest.approx(waits)


def test_the_wait_is_distributed_exponentially() -> None:
    """One place is half used. Half of the documents wait, and that times e^-0.5 wait longer than one reading."""
    assert late_probability(0.5, 1.0, 1, 0.0) == pytest.approx(0.5)
    assert late_probability(0.5, 1.0, 1, 1.0) == pytest.approx(0.5 * math.exp(-0.5))


def test_a_small_load_needs_the_least_numbers() -> None:
    found = size(visits(0.1), COSTS, BOUNDS)

    assert (found.api_instances, found.worker_instances, found.exceeded) == (2, 2, ())
    assert found.students_at_once == pytest.approx(6)


def test_processor_time_gives_the_numbers() -> None:
    """Ten visits a second use one core of the API and 0.6 cores of the workers.

    The model plans to use half of each core.
    """
    found = size(visits(10), COSTS, BOUNDS)

    assert (found.api_instances, found.worker_instances) == (2, 2)
    assert sum(found.cores.values()) == pytest.approx(10 * 0.19 + 0.03)
    assert size(visits(30), COSTS, BOUNDS).api_instances == 6
    assert size(visits(100), COSTS, BOUNDS).worker_instances == 11


def test_a_short_wait_needs_more_workers_than_processor_time() -> None:
    """The documents occupy a place without using a processor."""
    slow = Costs(**{**{name: getattr(COSTS, name) for name in COSTS.__struct_fields__}, "reading_seconds": 5.0})

    assert size(visits(10), slow, BOUNDS).worker_instances >= 26


def test_each_limit_of_the_service_is_named() -> None:
    """The sentence names the setting or the requirement that has to change."""
    exceeded = " ".join(size(visits(1000), COSTS, BOUNDS).exceeded)

    assert all(f"({name})" in exceeded for name in ("R10.1", "R10.2", "R5.4", "R3.1", "R4.3"))
    assert "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND" in exceeded


def test_the_committed_costs_have_all_parts() -> None:
    """`nox -s load_capacity` writes the file. A missing part would count as free."""
    costs = load()

    assert {API, WORKER, SANDBOX, "PostgreSQL", "Redis", "object store", "Traefik", "scheduler"} <= costs.cores.keys()
    assert 0 < costs.used_cores(1) < 2
    assert costs.reading_seconds > 0


def test_the_autoscaler_wants_as_many_instances_as_the_model() -> None:
    """After `nox -s load_capacity` has changed the costs, this names the number for `monitoring/rules/capacity.yml`."""
    rules = yaml.safe_load((ROOT / "monitoring/rules/capacity.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    found = {rule["record"]: rule["expr"] for rule in rules}
    utilisation = command.make_context("capacity", ["--students", "1"]).params["utilisation"]
    costs = load()
    served = int(costs.requests / costs.cores[API] * utilisation)

    assert found["upschedule:api:requests_per_instance"] == f"vector({served})"
