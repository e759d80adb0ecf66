"""Sessions do not depend on the state Redis: it is flushed, restarted and stopped behind real HTTP."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import redis

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import api_process
from tests.support.web.requests import pdf_like, upload
from upschedule.operations.embedded.valkey import STATE, Valkey, ValkeyUse

_MANY = {
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND": "100000",
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND_ADDRESS": "100000",
}


def test_two_hundred_visitors_keep_their_documents_when_redis_loses_its_data(
    start_api: StartApi, new_client: NewClient, redis_state_url: str
) -> None:
    """None of the visitors has a password, so the cookie is their only proof."""
    api = start_api(**_MANY)
    people = [new_client(api) for _ in range(200)]
    with ThreadPoolExecutor(20) as threads:
        uploads = list(threads.map(lambda person: upload(person, pdf_like()), people))
        assert {answer.status_code for answer in uploads} == {202}
        with redis.Redis.from_url(redis_state_url) as state:
            state.flushall()
        addresses = [answer.headers["location"] for answer in uploads]
        found = list(threads.map(lambda person, address: person.get(address), people, addresses))

    assert [answer.status_code for answer in found] == [200] * 200
    assert [answer.json()["id"] for answer in found] == [answer.json()["id"] for answer in uploads]


def test_pages_know_the_visitor_without_redis_and_after_it_comes_back_empty(
    own_environment: dict[str, str],
    private_valkey: Callable[[ValkeyUse], Valkey],
    new_client: NewClient,
    tmp_path: Path,
) -> None:
    """While Redis is down, PostgreSQL answers. After a start without its data, every session is still valid."""
    state = private_valkey(STATE)
    settings = {"UPSCHEDULE_REDIS_STATE_URL": state.url, "UPSCHEDULE_REDIS_COMMAND_SECONDS": "1"}
    with api_process(own_environment | settings, tmp_path / "api.log") as api:
        client = new_client(api)
        job = upload(client, pdf_like(), name="mine.pdf").headers["location"]
        state.kill()
        without = [client.get(path) for path in ("/", job, "/api/v1/accounts/current")]
        state.start()
        with redis.Redis.from_url(state.url) as emptied:
            emptied.flushall()
        after = [client.get(path) for path in ("/", job, "/api/v1/accounts/current")]
        another = upload(client, pdf_like())

    assert [answer.status_code for answer in without + after] == [200] * 6
    assert "mine.pdf" in without[0].text
    assert "mine.pdf" in after[0].text
    assert another.status_code == 202
    assert "set-cookie" not in another.headers


def test_signing_out_holds_at_every_instance_and_after_redis_lost_its_data(
    start_api: StartApi, new_client: NewClient, redis_state_url: str
) -> None:
    first, second = start_api(), start_api()
    client, elsewhere = new_client(first), new_client(second)
    job = upload(client, pdf_like()).headers["location"]
    elsewhere.cookies.set("upschedule", client.cookies["upschedule"])
    assert elsewhere.get(job).status_code == 200
    assert client.delete("/api/v1/sessions/current").status_code == 204
    assert elsewhere.get(job).status_code == 404
    with redis.Redis.from_url(redis_state_url) as state:
        state.flushall()

    assert elsewhere.get(job).status_code == 404


def test_the_cookie_lives_as_long_as_the_session(start_api: StartApi, new_client: NewClient) -> None:
    """The lifetime is never longer than the absolute limit."""
    api = start_api(UPSCHEDULE_WEB_SESSION_DAYS="30", UPSCHEDULE_WEB_SESSION_DAYS_MAX="20")
    answer: httpx.Response = upload(new_client(api), pdf_like())

    age = re.search(r"Max-Age=(\d+)", answer.headers["set-cookie"])
    assert age
    assert 19.9 * 86_400 < int(age[1]) <= 20 * 86_400
