"""The guard of the routes' costs accepts small differences and refuses larger ones."""

from perf.bench_routes import ratios, worse


def test_a_ratio_says_how_many_requests_take_the_time_of_a_bare_one() -> None:
    assert ratios({"nothing": 50e-6, "live": 200e-6}) == {"live": 0.25}


def test_a_route_that_became_half_as_fast_is_refused() -> None:
    """Machines differ by up to a factor of 1.5, so this is accepted."""
    assert worse({"live": 0.21}, {"live": 0.3}) == []
    assert worse({"live": 0.15}, {"live": 0.3}) == ["live reaches 0.150 of its bare route; 0.300 were committed."]


def test_a_route_without_a_committed_ratio_is_refused() -> None:
    (sentence,) = worse({"new": 0.2}, {})
    assert "--keep" in sentence
