"""The requests of a load test, and the servers to which it may send them."""

import pytest

from perf.load.profiles import PROFILES, Phase, arrivals
from perf.load.target import require_this_machine

_PHASES = (
    Phase(name="slow", seconds=1000, visits_per_second=1),
    Phase(name="none", seconds=50, visits_per_second=0),
    Phase(name="fast", seconds=100, visits_per_second=20),
)


def test_visitors_arrive_at_the_rate_of_each_phase_and_in_order() -> None:
    times = list(arrivals(_PHASES, 1))
    assert times == sorted(times)
    by_phase = [sum(begin <= time < end for time in times) for begin, end in ((0, 1000), (1000, 1050), (1050, 1150))]
    assert by_phase == [pytest.approx(1000, rel=0.1), 0, pytest.approx(2000, rel=0.1)]


def test_the_same_seed_gives_the_same_visitors() -> None:
    assert list(arrivals(_PHASES, 1)) == list(arrivals(_PHASES, 1))
    assert list(arrivals(_PHASES, 1)) != list(arrivals(_PHASES, 2))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_profile_has_one_model_and_names_its_phases_once(profile: object) -> None:
    found = PROFILES[getattr(profile, "name", "")]
    assert bool(found.phases) != bool(found.users)
    assert len(found.starts_of()) == len(found.phases)
    assert found.duration_seconds > found.warm_up_seconds


def test_the_uploads_of_requirement_1_1_are_a_thousand_in_ten_minutes() -> None:
    assert len(list(arrivals(PROFILES["uploads"].phases, 133))) == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080/", "https://127.3.2.1"]
)
def test_addresses_of_this_machine_may_be_loaded(url: str) -> None:
    require_this_machine(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://192.0.2.7:8080", "//", "nonsense"])
def test_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"another machine|no address"):
        require_this_machine(url)
