"""Each sample of a profile counts for the innermost part of the program that it is in."""

import pytest

from perf.profile_routes import part_of, shares

_SERVER = ["run_forever (asyncio/base_events.py:607)", "future_watcher (granian/_futures.py:15)"]
_ENTRY = "Boundary.__call__ (upschedule/web/http/boundary.py:68)"
_ROUTE = "HTTPRoute.handle (litestar/routes/http.py:81)"


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        (_SERVER, "server"),
        ([*_SERVER, _ENTRY], "boundary"),
        ([*_SERVER, _ENTRY, "uuid4 (uuid.py:720)"], "boundary"),
        ([*_SERVER, _ENTRY, _ROUTE], "framework"),
        (
            [*_SERVER, _ENTRY, "_record (upschedule/web/http/boundary.py:93)", "info (structlog/stdlib.py:222)"],
            "log line",
        ),
        (
            [
                *_SERVER,
                _ENTRY,
                _ROUTE,
                "count (upschedule/stores/windows.py:74)",
                "execute (redis/asyncio/client.py:9)",
            ],
            "Redis client",
        ),
        (
            [*_SERVER, _ENTRY, _ROUTE, "JobController.status (upschedule/web/api/jobs.py:95)"],
            "the handler and its services",
        ),
        (["execute (redis/asyncio/client.py:9)"], "server"),
    ],
)
def test_a_sample_counts_for_its_innermost_part(frames: list[str], part: str) -> None:
    assert part_of(frames) == part


def test_shares_add_up_and_the_largest_comes_first() -> None:
    recorded = f"{';'.join([*_SERVER, _ENTRY])} 30\n{';'.join(_SERVER)} 10\n"
    assert shares(recorded) == {"boundary": 0.75, "server": 0.25}
    assert shares("") == {}
