"""Limits with real HTTP, exact over several instances (R5.1-R5.5, R11.4)."""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.integration.web.conftest import Instances, NewClient, StartApi
from tests.support.identities import as_process
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, problem_code, upload

_MEBIBYTE = 1024 * 1024
_REFUSED = 'upschedule_limited_requests_total{limit="uploads"}'


def _metric(api: ApiProcess, name: str) -> float:
    """The sum over all series whose line begins with `name`."""
    lines = httpx.get(f"{api.url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_an_account_may_upload_ten_times_an_hour(api: ApiProcess, new_client: NewClient) -> None:
    """The eleventh is refused with the time to wait, and is logged with account and endpoint (R5.1, R5.3, R5.5)."""
    counted = _metric(api, _REFUSED)
    client, other = new_client(api), new_client(api)
    answers = [upload(client, pdf_like()) for _ in range(11)]
    refused = answers[-1]

    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    assert problem_code(refused) == "rate-limit"
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert answers[0].headers["ratelimit-policy"] == '"uploads";q=10;w=3600'
    assert re.fullmatch(r'"uploads";r=9;t=\d+', answers[0].headers["ratelimit"])
    assert re.fullmatch(r'"uploads";r=0;t=\d+', refused.headers["ratelimit"])
    assert upload(other, pdf_like()).status_code == 202
    account = client.get("/api/v1/accounts/current").json()["id"]
    logged = api.awaited("limit_exceeded", account_id=account)
    assert (logged["limit"], logged["endpoint"]) == ("uploads", "POST /api/v1/uploads")
    assert _metric(api, _REFUSED) == counted + 1


def test_a_refused_upload_does_not_count_and_known_bytes_do(start_api: StartApi, new_client: NewClient) -> None:
    """Uploads count if they create or find a job. An invalid file does not count (R5.1)."""
    client, content = new_client(start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="3")), pdf_like()
    assert upload(client, content).status_code == 202
    for _ in range(5):
        assert upload(client, b"no PDF").status_code == 400
    assert upload(client, content).status_code == 202
    assert upload(client, content).status_code == 202

    assert upload(client, content).status_code == 429


def test_uploads_at_the_same_time_over_two_instances_are_counted_exactly(
    instances: Instances, new_client: NewClient
) -> None:
    """Thirty uploads at once, fifteen at each instance: ten are accepted (R5.1, R10.1)."""
    first, second = instances
    client = new_client(first)
    assert upload(client, pdf_like()).status_code == 202
    people = [new_client(api) for api in (first, second) for _ in range(15)]
    for person in people:
        person.cookies.set("upschedule", client.cookies["upschedule"])

    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda person: upload(person, pdf_like()).status_code, people))

    assert Counter(answers) == {202: 9, 429: 21}


def test_an_account_may_look_a_hundred_times_a_minute(start_api: StartApi, new_client: NewClient) -> None:
    """Status, list and stream are counted together. Other requests still work (R5.2)."""
    # A fast machine sends all requests within a second. Without this, the limit of all clients would apply first.
    api = start_api(UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND="1000")
    client = new_client(api)
    address = upload(client, pdf_like()).headers["location"]
    answers = [client.get(address) for _ in range(98)]
    answers += [client.get("/api/v1/jobs"), client.get(address), client.get(address), client.get(f"{address}/stream")]

    assert [answer.status_code for answer in answers] == [200] * 100 + [429] * 2
    assert answers[0].headers["ratelimit-policy"] == '"status";q=100;w=60'
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert upload(client, pdf_like()).status_code == 202


def test_an_account_that_an_operator_exempted_has_no_limits(
    start_api: StartApi, new_client: NewClient, postgres_dsn: str
) -> None:
    """The exemption covers uploads, address, status and quota, only for this account, and ends at its time."""
    api = start_api(
        UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="2",
        UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR_ADDRESS="3",
        UPSCHEDULE_LIMITS_STATUS_PER_MINUTE="3",
        UPSCHEDULE_UPLOADS_QUOTA_BYTES="100",
    )
    client, other = new_client(api), new_client(api)
    address = upload(client, pdf_like()).headers["location"]
    assert upload(other, pdf_like()).status_code == 202
    account = client.get("/api/v1/accounts/current").json()["id"]
    with psycopg.connect(postgres_dsn) as conn:
        conn.execute("INSERT INTO exempt_accounts (account_id) VALUES (%s)", [account])

    wait_until(lambda: {client.get(address).status_code for _ in range(4)} == {200}, timeout_seconds=30)
    assert [upload(client, pdf_like(size_bytes=90)).status_code for _ in range(5)] == [202] * 5
    assert "ratelimit" not in client.get(address).headers
    assert [upload(other, pdf_like()).status_code for _ in range(2)] == [202, 429]

    with psycopg.connect(postgres_dsn) as conn:
        conn.execute("DELETE FROM exempt_accounts")
    wait_until(lambda: upload(client, pdf_like()).status_code == 429, timeout_seconds=30)


def test_no_request_to_the_api_can_exempt_an_account(
    start_api: StartApi, new_client: NewClient, own_environment: dict[str, str]
) -> None:
    """No header, cookie, field or route does it, and PostgreSQL refuses it to the API's role (R8.1)."""
    api = start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="1")
    client = new_client(api)
    assert upload(client, pdf_like()).status_code == 202
    account = client.get("/api/v1/accounts/current").json()["id"]
    for name in ("X-Upschedule-Exempt", "X-Upschedule-Synthetic", "X-Upschedule-Canary"):
        client.headers[name] = "yes"
    client.cookies.set("exempt", "yes")
    for body in ({"exempt": True}, {"account_id": account, "exempt": True}):
        for path in ("/api/v1/accounts", "/api/v1/accounts/current", "/api/v1/sessions"):
            for method in ("POST", "PUT", "PATCH"):
                assert client.request(method, path, json=body).status_code in {400, 404, 405}
        operators = f"/ops/accounts/{account}/exempt"
        assert client.post(operators, json={"operator": "a"}).status_code in {404, 405}
    assert upload(client, pdf_like()).status_code == 429

    api_dsn = as_process(own_environment, "api")["UPSCHEDULE_POSTGRES_URL"]
    for statement in (
        "INSERT INTO exempt_accounts (account_id) SELECT id FROM accounts",
        "UPDATE exempt_accounts SET exempted_at = now()",
        "DELETE FROM exempt_accounts",
    ):
        with psycopg.connect(api_dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())
    with psycopg.connect(own_environment["UPSCHEDULE_POSTGRES_URL"]) as conn:
        assert conn.execute("SELECT count(*) FROM exempt_accounts").fetchone() == (0,)


def test_all_clients_together_may_send_a_bounded_number_of_requests_a_second(
    start_api: StartApi, new_client: NewClient
) -> None:
    """The limit is exact over two instances. Health checks are not counted (R5.4)."""
    settings = {"UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND": "20"}
    busy = [start_api(**settings), start_api(**settings)]
    people = [new_client(api) for api in busy for _ in range(10)]
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda person: person.get("/api/v1/capacity"), people * 4))
    windows = 1 + int(time.monotonic() - began + 1)
    let_through = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert len(let_through) + len(refused) == 80
    assert 20 <= len(let_through) <= 20 * windows
    assert refused
    assert {(problem_code(answer), answer.headers["retry-after"]) for answer in refused} == {("rate-limit", "1")}
    assert {people[0].get("/health/live").status_code for _ in range(60)} == {200}


def test_an_address_has_a_looser_limit_and_comes_from_trusted_proxies_only(
    start_api: StartApi, new_client: NewClient
) -> None:
    """Many people share a campus address, and clients cannot choose their address (R5.1)."""
    limited = {"UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR_ADDRESS": "2"}
    behind_proxy = start_api(**limited)
    alone = start_api(**limited, UPSCHEDULE_WEB_TRUSTED_PROXIES="192.0.2.1/32")

    def status(api_client: httpx.Client, forwarded: str) -> int:
        files = {"file": ("x.pdf", pdf_like(), "application/pdf")}
        return api_client.post("/api/v1/uploads", files=files, headers={"X-Forwarded-For": forwarded}).status_code

    behind = [status(new_client(behind_proxy), address) for address in ("198.51.100.1",) * 3 + ("198.51.100.2",)]
    same_network = [status(new_client(behind_proxy), f"2001:db8:1:2::{n}") for n in range(1, 4)]
    forged = [status(new_client(behind_proxy), f"203.0.113.{n}, 198.51.100.3") for n in range(3)]
    untrusted = [status(new_client(alone), f"203.0.113.{n}") for n in range(3)]

    assert behind == [202, 202, 429, 202]
    assert same_network == forged == untrusted == [202, 202, 429]


def test_the_quota_is_exact_when_uploads_come_at_the_same_time(instances: Instances, new_client: NewClient) -> None:
    """Five of ten uploads of 9 MB at once over two instances fit into 50 MB. Deleting one makes room (R11.4)."""
    client = new_client(instances[0])
    first = upload(client, pdf_like(size_bytes=9 * _MEBIBYTE)).headers["location"]
    people = [new_client(instances[n % 2]) for n in range(9)]
    for person in people:
        person.cookies.set("upschedule", client.cookies["upschedule"])

    with ThreadPoolExecutor(9) as threads:
        answers = list(threads.map(lambda person: upload(person, pdf_like(size_bytes=9 * _MEBIBYTE)), people))

    assert Counter(answer.status_code for answer in answers) == {202: 4, 413: 5}
    assert {problem_code(answer) for answer in answers if answer.status_code == 413} == {"quota-exceeded"}
    account = client.get("/api/v1/accounts/current").json()
    assert (account["stored_bytes"], account["quota_bytes"]) == (45 * _MEBIBYTE, 50 * _MEBIBYTE)
    assert client.delete(first).status_code == 204
    assert upload(client, pdf_like(size_bytes=9 * _MEBIBYTE)).status_code == 202


def test_a_retry_counts_as_an_upload(
    start_api: StartApi, new_client: NewClient, own_environment: dict[str, str]
) -> None:
    """Otherwise retries would avoid the limit (R5.1)."""
    api = start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="3")
    client = new_client(api)
    job = upload(client, pdf_like()).headers["location"]
    answers: list[httpx.Response] = []
    for _ in range(3):
        answers.append(client.post(f"{job}/retry"))
        _fail(own_environment["UPSCHEDULE_POSTGRES_URL"], job.rpartition("/")[2])
    answers += [client.post(f"{job}/retry") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [409, 202, 202, 429, 429]
    assert [problem_code(answer) for answer in answers[3:]] == ["rate-limit"] * 2
    assert upload(client, pdf_like()).status_code == 429


def _fail(dsn: str, job_id: str) -> None:
    """Changes the row as a worker does after a fault that may pass."""
    claimed = "status = 'processing', lease_until = now(), started_at = now()"
    error = '{"code": "reading-failed", "title": "t", "detail": "d", "in_file": false}'
    failed = f"status = 'failed', lease_until = NULL, finished_at = now(), error = '{error}'"
    with psycopg.connect(dsn) as connection:
        for columns in (claimed, failed):
            connection.execute(f"UPDATE jobs SET {columns}, version = version + 1 WHERE id = %s".encode(), [job_id])


def test_a_full_queue_refuses_with_an_honest_time(start_api: StartApi, new_client: NewClient) -> None:
    """The answer is 503 with the Retry-After that the capacity also shows. No visitor is created for it (R2.2)."""
    api = start_api(UPSCHEDULE_JOBS_PENDING_MAX="2", UPSCHEDULE_JOBS_PENDING_RESERVE="2")
    for _ in range(2):
        assert upload(new_client(api), pdf_like()).status_code == 202
    client = new_client(api)
    answer = upload(client, pdf_like())
    capacity = client.get("/api/v1/capacity").json()

    assert (answer.status_code, problem_code(answer)) == (503, "queue-full")
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert "set-cookie" not in answer.headers
    assert (capacity["queued"], capacity["limit"]) == (2, 2)
    assert capacity["retry_after_seconds"] == int(answer.headers["retry-after"])
    assert capacity["rate_per_minute"] > 0
    elsewhere = new_client(api)
    elsewhere.headers["X-Forwarded-For"] = "198.51.100.1"
    assert upload(elsewhere, pdf_like()).status_code == 202
    logged = api.awaited("request_failed", request_id=answer.headers["x-request-id"])
    assert (logged["level"], "exception" in logged) == ("warning", False)
    # Any client can fill the queue, so a release must not fail because of it.
    requests = "upschedule_http_requests_total"
    assert _metric(api, f'{requests}{{fault="no",method="POST",route="/api/v1/uploads",status="503"') == 1
    assert _metric(api, f'{requests}{{fault="yes"') == 0


def test_instances_share_sessions(instances: Instances, new_client: NewClient) -> None:
    """A session that began at one instance is known at the other, and ends at both (R10.3)."""
    first, second = instances
    client, elsewhere = new_client(first), new_client(second)
    address = upload(client, pdf_like()).headers["location"]
    elsewhere.cookies.set("upschedule", client.cookies["upschedule"])

    assert elsewhere.get(address).status_code == 200
    assert elsewhere.delete("/api/v1/sessions/current").status_code == 204
    assert client.get(address).status_code == 404
