"""All errors have one form and are documented (RFC 9457)."""

import uuid

import httpx
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.scheduler.operator_pages import OperatorRefusal
from upschedule.web.http.problems import causes

_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/v1/nowhere", 404, "not-found"),
        ("GET", "/problems/nothing-like-it", 404, "not-found"),
        ("PUT", "/api/v1/uploads", 405, "method-not-allowed"),
        ("GET", "/api/v1/uploads", 405, "method-not-allowed"),
    ],
)
def test_an_address_that_is_not_there_answers_with_a_problem(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, problem_code(answer)) == (status, code)


@pytest.mark.parametrize("path", ["/nowhere", "/problems/nothing-like-it", "/calendars/unknown.ics"])
def test_a_browser_sees_a_page_where_nothing_is(client: httpx.Client, path: str) -> None:
    """The page has the same status and a link to the first page. The API answers all clients alike."""
    answer = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert 'href="/"' in answer.text
    assert "Accept" in answer.headers["vary"]
    assert "Accept" in client.get(path).headers["vary"]
    api = client.get("/api/v1/nowhere", headers={"Accept": "text/html"})
    assert (api.status_code, problem_code(api)) == (404, "not-found")


def test_a_problem_is_explained_to_browsers_by_a_page(client: httpx.Client) -> None:
    """Other clients get JSON."""
    page = client.get("/problems/pdf-too-large", headers={"Accept": "text/html"})

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "upload that PDF itself" in page.text
    assert "stylesheet" in page.text
    assert client.get("/problems/pdf-too-large").json()["title"] == "The file is too large"


@pytest.mark.parametrize("path", ["/", "/problems/rate-limit", "/health/live"])
def test_public_pages_answer_head_as_they_answer_get(client: httpx.Client, path: str) -> None:
    """The answer has the headers of the whole content and no body. Monitors and link checkers use HEAD."""
    whole, head = client.get(path), client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert whole.content
    for name in ("content-type", "content-length", "content-security-policy", "cache-control"):
        assert head.headers[name] == whole.headers[name]


def test_a_wrong_method_names_the_right_ones(client: httpx.Client) -> None:
    assert "POST" in client.get("/api/v1/uploads").headers["allow"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"email": 5, "password": "x"}', b'{"email": "a@example.org"}', b"\xff\xfe", b"[" * 20_000],
)
def test_a_body_of_the_wrong_form_is_an_invalid_request(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/api/v1/accounts", content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")


def test_a_wrong_field_is_named(client: httpx.Client) -> None:
    answer = client.post("/api/v1/accounts", json={"email": 5, "password": "x"})

    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


@pytest.mark.parametrize("jobs", [[], [str(uuid.UUID(int=n)) for n in range(21)], "x"])
def test_a_wrong_list_of_jobs_is_the_fault_of_the_request(client: httpx.Client, jobs: object) -> None:
    upload(client, pdf_like())
    answer = client.post("/api/v1/calendars", json={"jobs": jobs})

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == ["jobs"]


def test_a_body_that_is_not_an_upload_is_bounded(client: httpx.Client) -> None:
    answer = client.post("/api/v1/accounts", json={"email": "x" * 100_000, "password": "x"})

    assert (answer.status_code, problem_code(answer)) == (413, "request-too-large")


def test_every_answer_carries_the_security_headers_and_its_id(client: httpx.Client) -> None:
    """This applies to found, missing, refused and unchanged pages. No inline script or style is allowed anywhere."""
    job = upload(client, pdf_like()).headers["location"]
    tag = client.get(job).headers["etag"]
    answers = [
        client.get(job),
        client.get(job, headers={"If-None-Match": tag}),
        client.get("/nowhere"),
        client.get("/health/live"),
        upload(client, b""),
    ]

    for answer in answers:
        assert _SECURITY_HEADERS.items() <= dict(answer.headers).items()
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("code", sorted(causes()))
def test_every_code_explains_itself_to_programs_and_to_people(client: httpx.Client, code: str) -> None:
    problem = client.get(f"/problems/{code}").json()
    page = client.get(f"/problems/{code}", headers={"Accept": "text/html,*/*"})

    assert problem["type"] == f"/problems/{code}"
    assert len(problem["description"]) > 20
    assert 400 <= problem["status"] < 600
    assert page.headers["content-type"].startswith("text/html")
    assert f"<h1>{problem['title']}</h1>" in page.text.replace("&#x27;", "'")


def test_what_only_the_scheduler_answers_is_not_explained_by_the_api() -> None:
    scheduler_codes = {cause.code for cause in (OperatorRefusal, *OperatorRefusal.__subclasses__())}
    assert scheduler_codes & set(causes()) == set()


def test_every_operation_documents_its_errors(api: ApiProcess, client: httpx.Client) -> None:
    """Each operation has an id and a summary, and each refusal is a problem in the OpenAPI document."""
    answer = client.get("/api/v1/openapi.json")
    paths = answer.json()["paths"]
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]

    assert len(set(ids)) == len(ids)
    for path, item in paths.items():
        for operation in item.values():
            assert operation["summary"], path
            if path.startswith("/api/"):
                refusals = {
                    int(status): response for status, response in operation["responses"].items() if int(status) >= 400
                }
                assert {429, 500, 503} <= set(refusals), path
                assert all("application/problem+json" in response["content"] for response in refusals.values()), path


def test_the_description_covers_the_contract(client: httpx.Client) -> None:
    """The document has the rows of the published table that this process answers."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    offered = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}

    assert {
        "POST /api/v1/uploads",
        "GET /api/v1/jobs",
        "GET /api/v1/jobs/{job_id}",
        "DELETE /api/v1/jobs/{job_id}",
        "GET /api/v1/jobs/{job_id}/stream",
        "GET /api/v1/jobs/{job_id}/timetable",
        "POST /api/v1/jobs/{job_id}/retry",
        "POST /api/v1/accounts",
        "GET /api/v1/accounts/current",
        "POST /api/v1/sessions",
        "DELETE /api/v1/sessions/current",
        "GET /api/v1/capacity",
        "GET /health/live",
        "GET /health/ready",
    } <= offered
    upload_operation = paths["/api/v1/uploads"]["post"]
    assert "multipart/form-data" in upload_operation["requestBody"]["content"]
    assert {"200", "202", "400", "413", "415", "429", "503"} <= set(upload_operation["responses"])


def test_a_request_of_another_site_is_not_carried_out(client: httpx.Client) -> None:
    """Browsers send the origin of a request. Scripts send none and are accepted.

    Own origins are the configured public URLs, not the client's `Host`.
    """
    own = str(client.base_url).rstrip("/")
    refused: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": own},
        {"Origin": "http://evil.example", "Host": "evil.example"},
        {"Origin": "http://evil.example", "Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": own.replace("http:", "https:")},
    ]
    passing: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": own},
        {"Origin": own, "Host": "localhost"},
        {"Origin": "http://127.0.0.1:8080"},
        {},
    ]

    for headers in refused:
        answer = client.delete("/api/v1/sessions/current", headers=headers)
        assert (answer.status_code, problem_code(answer)) == (403, "cross-site-request"), headers
    for headers in passing:
        assert client.delete("/api/v1/sessions/current", headers=headers).status_code == 204, headers
    assert client.get("/api/v1/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_under_https_the_cookie_is_secure(start_api: StartApi, new_client: NewClient) -> None:
    """The name prevents browsers from accepting it from another host or an insecure page (R8.3).

    Only Traefik sends Strict-Transport-Security, so that the operator's `hstsSeconds` of 0 ends it.
    """
    answer = upload(new_client(start_api(UPSCHEDULE_WEB_PUBLIC_URL="https://schedule.example")), pdf_like())

    assert answer.headers["set-cookie"].startswith("__Host-upschedule=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers
