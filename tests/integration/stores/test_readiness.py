"""Readiness names each dependency and its time, whatever the dependencies do."""

import asyncio

import msgspec

from tests.support.fault_proxy import FaultProxy
from tests.support.services import Addresses, opened
from upschedule.stores.readiness import is_ready


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])


async def test_every_dependency_is_named_with_its_time(addresses: Addresses) -> None:
    """R6.1 requires both."""
    async with opened(addresses) as services:
        answers = await services.readiness()
    assert [answer.name for answer in answers] == ["postgres", "redis-state", "redis-cache", "objects"]
    assert all(answer.ok and answer.error is None and answer.seconds > 0 for answer in answers)


async def test_the_answer_comes_when_nothing_answers(addresses: Addresses) -> None:
    """It says for each dependency that it did not answer (R6.1)."""
    ports = [
        _port(addresses.postgres_dsn),
        _port(addresses.redis_state_url),
        _port(addresses.redis_cache_url),
        _port(addresses.objects.endpoint),
    ]
    proxies = [FaultProxy(port) for port in ports]
    deaf = Addresses(
        postgres_dsn=addresses.postgres_dsn.replace(f":{ports[0]}/", f":{proxies[0].port}/"),
        redis_state_url=addresses.redis_state_url.replace(str(ports[1]), str(proxies[1].port)),
        redis_cache_url=addresses.redis_cache_url.replace(str(ports[2]), str(proxies[2].port)),
        objects=addresses.objects,
        objects_endpoint=f"127.0.0.1:{proxies[3].port}",
    )
    settings = {"POSTGRES_WAIT_SECONDS": "5", "OBJECTS_REQUEST_SECONDS": "2"}
    async with proxies[0], proxies[1], proxies[2], proxies[3], opened(deaf, settings=settings) as services:
        assert all(answer.ok for answer in await services.readiness())
        for proxy in proxies:
            proxy.go_deaf()
        answers = await services.readiness()
        assert not any(answer.ok for answer in answers)
        assert all(answer.error for answer in answers)
        await asyncio.gather(*(proxy.restore() for proxy in proxies))


async def test_a_process_without_its_cache_is_ready_and_without_anything_else_is_not(addresses: Addresses) -> None:
    """This holds for the API and for workers. The missing cache is reported as well (R6.1)."""
    without_cache = msgspec.structs.replace(addresses, redis_cache_url="redis://:hidden@127.0.0.1:1")
    without_state = msgspec.structs.replace(addresses, redis_state_url="redis://:hidden@127.0.0.1:1")
    async with opened(without_cache) as services:
        answers = await services.readiness()
        assert is_ready(answers)
        assert [answer.name for answer in answers if not answer.ok] == ["redis-cache"]
    async with opened(without_state) as services:
        assert not is_ready(await services.readiness())


async def test_an_error_names_no_address_and_no_secret(addresses: Addresses) -> None:
    away = msgspec.structs.replace(
        addresses,
        postgres_dsn="postgresql://person:hidden@127.0.0.1:1/nowhere",
        redis_state_url="redis://:hidden@127.0.0.1:1",
    )
    async with opened(away, settings={"POSTGRES_WAIT_SECONDS": "1"}) as services:
        answers = await services.readiness()
    body = msgspec.json.encode(answers).decode()
    assert "hidden" not in body
    assert "127.0.0.1" not in body
