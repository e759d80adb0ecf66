"""Many connections of one client beside the requests of all others, through Traefik (R5.4)."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.web.conftest import StartApi
from tests.support.servers import started
from tests.support.web.one_client import flooding
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.traefik import Traefik

BURST = 8


@pytest.fixture
def public(start_api: StartApi, scratch: Path) -> Iterator[Traefik]:
    """Traefik in front of an instance with the default limits."""
    api = start_api()
    with started(Traefik(scratch / f"traefik-{api.port}", port=free_port(), instances=[api.url])) as traefik:
        yield traefik


def _person(traefik: Traefik, address: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{traefik.port}", transport=transport, timeout=30)


async def test_one_client_with_many_connections_takes_no_page_from_others(public: Traefik) -> None:
    """Neither one visitor nor a busy network elsewhere loses a page. That client, too, gets what no limit counts."""
    async with (
        flooding(public.port, connections=48, address="127.0.0.2") as answers,
        _person(public, "127.0.0.3") as person,
        _person(public, "127.0.0.5") as network,
        _person(public, "127.0.0.2") as flooder,
    ):
        pages: Counter[int] = Counter()
        for _ in range(20):
            pages[(await person.get("/")).status_code] += 1
            await asyncio.sleep(0.1)
        # Together with at most eleven pages of the second before, these are fewer than the twenty requests that are
        # reserved.
        burst = await asyncio.gather(*(network.get("/api/v1/capacity") for _ in range(BURST)))
        free = [await flooder.get(path) for path in ("/health/live", "/static/page.css", "/problems/rate-limit")]
        feed = await flooder.get("/api/v1/calendars/feeds/unknown.ics")
        refused = [answer for answer in [await flooder.get("/api/v1/capacity") for _ in range(40)] if answer.is_error]

    # The number of refused requests depends on how quickly the client repeats them, and so on the machine.
    assert answers[429]
    assert pages == {200: 20}
    assert [answer.status_code for answer in burst] == [200] * BURST
    assert [answer.status_code for answer in free if answer.status_code == 429] == []
    assert feed.status_code != 429
    assert refused
    assert {answer.headers["ratelimit-policy"] for answer in refused} == {'"address";q=80;w=1'}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


async def test_a_burst_of_one_network_that_all_may_make_together_is_late_and_not_refused(public: Traefik) -> None:
    """At the start of a lecture, a hundred people behind one address send no more requests than R5.4 allows."""
    async with _person(public, "127.0.0.4") as network:
        answers = await asyncio.gather(*(network.get("/api/v1/capacity") for _ in range(100)))

    assert Counter(answer.status_code for answer in answers) == {200: 100}


async def test_what_waited_for_room_leaves_the_reserve_to_others(start_api: StartApi) -> None:
    """Requests above an address's share count in it, too. It cannot use its share in addition to the reserve."""
    api = start_api(
        UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND="20",
        UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND_ADDRESS="5",
        UPSCHEDULE_LIMITS_REQUESTS_RESERVED_PERCENT="50",
    )
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:

        async def ask(address: str) -> int:
            return (await client.get("/api/v1/capacity", headers={"X-Forwarded-For": address})).status_code

        # Ten use everything that is not reserved. The next ten wait for a second and then use it again.
        waited = await asyncio.gather(*(ask("198.18.255.1") for _ in range(20)))
        more = [asyncio.create_task(ask("198.18.255.1")) for _ in range(5)]
        await asyncio.sleep(0.1)
        others = await asyncio.gather(*(ask(f"198.18.255.{2 + number % 5}") for number in range(10)))
        await asyncio.gather(*more)

    assert waited == [200] * 20
    assert others == [200] * 10
