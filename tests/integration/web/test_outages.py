"""Each server is killed or stops answering, and the process continues as far as possible (R6.1)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from tests.support.fault_proxy import FaultProxy
from tests.support.isolated_servers import IsolatedServers
from tests.support.processes.application import ApiProcess, api_process
from tests.support.services import until
from tests.support.web.requests import pdf_like, problem_code

_URLS = {
    "postgres": "UPSCHEDULE_POSTGRES_URL",
    "redis-state": "UPSCHEDULE_REDIS_STATE_URL",
    "redis-cache": "UPSCHEDULE_REDIS_CACHE_URL",
    "objects": "UPSCHEDULE_OBJECTS_ENDPOINT",
}
_SETTINGS = {
    "UPSCHEDULE_POSTGRES_WAIT_SECONDS": "3",
    "UPSCHEDULE_POSTGRES_STATEMENT_SECONDS": "2",
    "UPSCHEDULE_POSTGRES_CONNECT_SECONDS": "2",
    "UPSCHEDULE_REDIS_COMMAND_SECONDS": "1",
    "UPSCHEDULE_OBJECTS_REQUEST_SECONDS": "1",
    "UPSCHEDULE_WEB_DEPENDENCY_CHECK_SECONDS": "0.5",
}
Wired = tuple[ApiProcess, dict[str, FaultProxy]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wires(isolated_servers: IsolatedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wired]:
    """One instance with a proxy to each server, which tests can interrupt."""
    environment = isolated_servers.start("wired") | _SETTINGS
    proxies: dict[str, FaultProxy] = {}
    async with AsyncExitStack() as entered:
        for name, variable in _URLS.items():
            port = int(re.findall(r":(\d+)", environment[variable])[-1])
            proxies[name] = await entered.enter_async_context(FaultProxy(port))
            environment[variable] = environment[variable].replace(f":{port}", f":{proxies[name].port}")
        running = api_process(environment, tmp_path_factory.mktemp("wired") / "api.log")
        api = await asyncio.to_thread(running.__enter__)
        try:
            yield api, proxies
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


@pytest_asyncio.fixture(loop_scope="module")
async def wired(wires: Wired) -> AsyncIterator[Wired]:
    """The instance and its proxies, which are restored before and after each test."""
    api, proxies = wires
    yield api, proxies
    for proxy in proxies.values():
        await proxy.restore()
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        await _until(lambda: client.get("/health/ready"), 200)


async def _break(proxy: FaultProxy, fault: str) -> None:
    if fault == "deaf":
        proxy.go_deaf()
    else:
        await proxy.refuse()


async def _upload(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/api/v1/uploads", files={"file": ("x.pdf", pdf_like(), "application/pdf")})


async def _until(answer: Callable[[], Awaitable[httpx.Response]], status: int) -> httpx.Response:
    """Repeats the request until it has this status."""

    async def asked() -> httpx.Response | None:
        response = await answer()
        return response if response.status_code == status else None

    reached = await until(asked)
    assert reached is not None
    return reached


@pytest.mark.parametrize("name", ["postgres", "redis-state", "redis-cache", "objects"])
@pytest.mark.parametrize("fault", ["refuse", "deaf"])
async def test_readiness_tells_who_does_not_answer(wired: Wired, name: str, fault: str) -> None:
    """Readiness is 503 for a required server, and not for the cache.

    The process stays alive and recovers without a restart (R6.1).
    """
    api, proxies = wired
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        assert (await client.get("/health/ready")).status_code == 200
        await _break(proxies[name], fault)
        answer = await client.get("/health/ready")
        dependencies = {entry["name"]: entry["ok"] for entry in answer.json()["dependencies"]}

        assert dependencies == {other: other != name for other in dependencies}
        assert answer.status_code == (200 if name == "redis-cache" else 503)
        assert (await client.get("/health/live")).status_code == 200
        # All instances share the server, so none is taken out of the rotation.
        assert (await client.get("/health/ready/instance")).json() == {"status": "serving"}
        await proxies[name].restore()
        await _until(lambda: client.get("/health/ready"), 200)


@pytest.mark.parametrize("name", ["postgres", "redis-state", "redis-cache", "objects"])
async def test_the_metrics_name_the_unreachable_server_without_a_readiness_request(wired: Wired, name: str) -> None:
    """On a cluster, Consul requests only the instance's own state.

    The alert `StoreUnreachable` needs the metric (R6.5).
    """
    api, proxies = wired

    async def shows(value: str) -> bool:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            return f'upschedule_dependency_up{{dependency="{name}"}} {value}\n' in (await client.get("/metrics")).text

    await until(lambda: shows("1.0"))
    await proxies[name].refuse()
    await until(lambda: shows("0.0"))
    await proxies[name].restore()
    await until(lambda: shows("1.0"))


@pytest.mark.parametrize("name", ["postgres", "redis-state", "objects"])
async def test_an_upload_without_a_required_server_gets_a_retry_after(wired: Wired, name: str) -> None:
    """The answer is 503 with Retry-After, and nothing is stored partially.

    The same upload works later and counts once.
    """
    api, proxies = wired
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        address = (await _upload(client)).headers["location"]
        await proxies[name].refuse()
        refused = await _upload(client)

        assert refused.status_code == 503
        assert problem_code(refused) in {"temporarily-unavailable", "database-busy", "store-timeout"}
        assert int(refused.headers["retry-after"]) >= 1
        exposed = (await client.get("/metrics")).text
        assert (
            'upschedule_http_requests_total{fault="yes",method="POST",route="/api/v1/uploads",status="503"}' in exposed
        )
        await proxies[name].restore()
        accepted = await _until(lambda: _upload(client), 202)
        assert accepted.headers["ratelimit"].startswith('"uploads";r=8;')
        assert (await client.get(address)).status_code == 200
        assert (await client.get("/api/v1/accounts/current")).json()["stored_bytes"] == 2 * len(pdf_like())


async def test_status_and_uploads_need_no_cache(wired: Wired) -> None:
    """The cache only saves time (R4.1-R4.3)."""
    api, proxies = wired
    await proxies["redis-cache"].refuse()
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        accepted = await _upload(client)

        assert accepted.status_code == 202
        assert (await client.get(accepted.headers["location"])).json()["status"] == "queued"


@pytest.mark.parametrize("fault", ["refuse", "deaf"])
async def test_each_limit_does_what_it_says_without_redis(wired: Wired, fault: str) -> None:
    """The limit of all clients lets requests pass, with a warning and a metric.

    The limits of sessions and failures refuse them.
    """
    api, proxies = wired
    credentials = {"email": "somebody@example.org", "password": "correct horse"}
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        before = len(api.logged("limiter_unavailable"))
        await _break(proxies["redis-state"], fault)
        capacity = await client.get("/api/v1/capacity")
        signing_in = await client.post("/api/v1/sessions", json=credentials)
        uploading = await _upload(client)
        logged = api.logged("limiter_unavailable")[before:]
        metrics = (await client.get("/metrics")).text

        assert capacity.status_code == 200
        assert (signing_in.status_code, uploading.status_code) == (503, 503)
        assert [line["limit"] for line in logged] == ["everybody"] * 3 + ["uploads-address"]
        assert re.search(r'upschedule_limiter_unavailable_total\{limit="everybody"\} [1-9]', metrics)
        await proxies["redis-state"].restore()
        await _until(lambda: _upload(client), 202)


async def test_an_unexpected_error_reveals_nothing_and_is_logged_completely(wired: Wired) -> None:
    """The log has the stack trace with the ids of the request and the account (R6.3)."""
    api, proxies = wired
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        await _upload(client)
        await proxies["postgres"].refuse()
        answer = await client.get("/api/v1/jobs")
        logged = api.awaited("request_failed", request_id=answer.headers["x-request-id"])

        assert answer.status_code == 503
        assert "Traceback" in logged["exception"]
        assert logged["account_id"]
        assert "Traceback" not in answer.text
        assert "psycopg" not in answer.text
