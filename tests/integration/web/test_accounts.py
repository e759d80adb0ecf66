"""Visitors, signing up, signing in and signing out, with real HTTP."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess
from tests.support.servers import Database
from tests.support.web.requests import pdf_like, problem_code, upload

_PASSWORD = "correct horse battery"
_emails = (f"student{n}@example.org" for n in range(10_000))


def _credentials(password: str = _PASSWORD) -> dict[str, str]:
    return {"email": next(_emails), "password": password}


def _sign_up(client: httpx.Client, credentials: dict[str, str]) -> httpx.Response:
    """Signs up and signs in for the first time. Returns the answer to the latter."""
    assert client.post("/api/v1/accounts", json=credentials).status_code == 202
    answer = client.post("/api/v1/sessions", json=credentials)
    assert answer.status_code == 201
    return answer


def _sign_in(client: httpx.Client, credentials: dict[str, str], password: str | None = None) -> httpx.Response:
    return client.post("/api/v1/sessions", json=credentials | ({"password": password} if password else {}))


def test_signing_up_keeps_what_the_visitor_made(client: httpx.Client) -> None:
    """The account is the same, and only the value of the cookie is new (R5.1)."""
    job = upload(client, pdf_like()).headers["location"]
    visitor, old = client.get("/api/v1/accounts/current").json(), client.cookies["upschedule"]
    credentials = _credentials()
    answer = _sign_up(client, credentials)

    assert answer.json()["id"] == visitor["id"]
    assert (visitor["signed_up"], answer.json()["signed_up"]) == (False, True)
    assert answer.json()["email"] == credentials["email"]
    assert client.cookies["upschedule"] != old
    assert client.get(job).status_code == 200


def test_an_old_cookie_is_worth_nothing_after_signing_up(
    client: httpx.Client, new_client: NewClient, api: ApiProcess
) -> None:
    """A person who planted or saw the visitor's session id does not get into the account."""
    job = upload(client, pdf_like()).headers["location"]
    thief = new_client(api)
    thief.cookies.set("upschedule", client.cookies["upschedule"])
    assert thief.get(job).status_code == 200
    _sign_up(client, _credentials())

    assert thief.get(job).status_code == 404


def test_signing_in_elsewhere_finds_the_same_jobs(client: httpx.Client, new_client: NewClient, api: ApiProcess) -> None:
    job = upload(client, pdf_like()).headers["location"]
    credentials = _credentials()
    _sign_up(client, credentials)
    elsewhere = new_client(api)
    answer = _sign_in(elsewhere, credentials | {"email": f" {credentials['email'].upper()} "})

    assert answer.status_code == 201
    assert elsewhere.get(job).status_code == 200


def test_signing_out_ends_the_session_on_the_server(
    client: httpx.Client, new_client: NewClient, api: ApiProcess
) -> None:
    credentials = _credentials()
    _sign_up(client, credentials)
    old_client = new_client(api)
    old_client.cookies.set("upschedule", client.cookies["upschedule"])

    assert client.delete("/api/v1/sessions/current").status_code == 204
    assert "upschedule" not in client.cookies
    answer = old_client.get("/api/v1/accounts/current")
    assert (answer.status_code, problem_code(answer)) == (401, "not-signed-in")
    assert client.delete("/api/v1/sessions/current").status_code == 204


def test_no_session_exists_before_there_is_something_to_remember(client: httpx.Client) -> None:
    answer = client.get("/api/v1/accounts/current")

    assert (answer.status_code, problem_code(answer)) == (401, "not-signed-in")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "../../x", "A" * 5000])
def test_a_made_up_cookie_identifies_no_visitor(client: httpx.Client, cookie: str) -> None:
    client.cookies.set("upschedule", cookie)

    assert client.get("/api/v1/accounts/current").status_code == 401
    assert upload(client, pdf_like()).headers["set-cookie"]


@pytest.mark.parametrize(
    ("email", "password", "fields"),
    [
        ("nobody", _PASSWORD, ["email"]),
        ("a@b", _PASSWORD, ["email"]),
        ("a b@example.org", _PASSWORD, ["email"]),
        ("x" * 300 + "@example.org", _PASSWORD, ["email"]),
        ("ok@example.org", "seven77", ["password"]),
        ("ok@example.org", "x" * 257, ["password"]),
        ("ok@example.org", "password123", ["password"]),
        ("ok@example.org", "ok@example.org", ["password"]),
        ("ok@example.org", "aaaaaaaaaaaa", ["password"]),
        ("nobody", "short", ["email", "password"]),
    ],
)
def test_details_that_cannot_be_used_are_named(
    client: httpx.Client, email: str, password: str, fields: list[str]
) -> None:
    answer = client.post("/api/v1/accounts", json={"email": email, "password": password})

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-details")
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert password not in answer.text


def test_signing_up_twice_is_refused(client: httpx.Client) -> None:
    _sign_up(client, _credentials())
    answer = client.post("/api/v1/accounts", json=_credentials())

    assert (answer.status_code, problem_code(answer)) == (409, "already-signed-up")


def test_five_failures_block_signing_in_and_nothing_else(api: ApiProcess, new_client: NewClient) -> None:
    """The block lasts 15 minutes, for the account and the address. Uploads and status still work (R8.5)."""
    credentials = _credentials()
    client, other = new_client(api), new_client(api)
    _sign_up(client, credentials)
    other_credentials = _credentials()
    _sign_up(other, other_credentials)

    failures = [_sign_in(client, credentials, "not the password") for _ in range(5)]
    blocked = [
        _sign_in(client, credentials),
        _sign_in(new_client(api), credentials),
        _sign_in(new_client(api), other_credentials),
    ]

    assert {(answer.status_code, problem_code(answer)) for answer in failures} == {(401, "wrong-credentials")}
    for answer in blocked:
        assert (answer.status_code, problem_code(answer)) == (429, "sign-in-blocked")
        assert 890 <= int(answer.headers["retry-after"]) <= 900
    assert upload(other, pdf_like()).status_code == 202
    assert client.get("/api/v1/accounts/current").status_code == 200


def test_an_account_is_blocked_for_every_address(api: ApiProcess, new_client: NewClient) -> None:
    """Failures from many addresses are counted together. Another account can still sign in (R8.5)."""
    credentials, other = _credentials(), _credentials()
    client = new_client(api)
    for each in (credentials, other):
        _sign_up(new_client(api), each)

    def attempt(number: int, wanted: dict[str, str], password: str) -> httpx.Response:
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        return client.post("/api/v1/sessions", json=wanted | {"password": password}, headers=headers)

    assert [attempt(n, credentials, "wrong password").status_code for n in range(5)] == [401] * 5
    assert attempt(6, credentials, _PASSWORD).status_code == 429
    assert attempt(6, other, _PASSWORD).status_code == 201


def test_attempts_at_the_same_time_cannot_outrun_the_block(api: ApiProcess, new_client: NewClient) -> None:
    """Five of twenty attempts at once are checked, and fifteen are blocked (R8.5)."""
    credentials = _credentials()
    _sign_up(new_client(api), credentials)

    with ThreadPoolExecutor(20) as threads:
        people = [new_client(api) for _ in range(20)]
        answers = list(threads.map(lambda person: _sign_in(person, credentials, "wrong password"), people))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


def test_a_success_forgets_the_accounts_failures_but_not_those_on_others(
    api: ApiProcess, new_client: NewClient
) -> None:
    """Otherwise attackers could delete the failures of their address with an account of their own (R8.5)."""
    own, victim = _credentials(), _credentials()
    client = new_client(api)
    for credentials in (own, victim):
        _sign_up(new_client(api), credentials)

    assert [_sign_in(client, victim, "wrong password").status_code for _ in range(4)] == [401] * 4
    assert _sign_in(client, own).status_code == 201
    assert _sign_in(client, victim, "wrong password").status_code == 401
    assert _sign_in(new_client(api), own).status_code == 429


def test_an_unknown_address_is_answered_as_a_wrong_password_is(api: ApiProcess, new_client: NewClient) -> None:
    """The answer does not reveal whether there is an account."""
    credentials = _credentials()
    _sign_up(new_client(api), credentials)
    wrong = _sign_in(new_client(api), credentials, "wrong password")
    unknown = _sign_in(new_client(api), _credentials())

    problems = [{**answer.json(), "instance": None} for answer in (wrong, unknown)]
    assert problems[0] == problems[1]
    assert wrong.status_code == unknown.status_code == 401


def test_a_visitor_whose_account_is_gone_can_begin_anew(
    start_api: StartApi, new_client: NewClient, database: Database
) -> None:
    """This happens after the restore of a backup that is older than the visitor (R9.3)."""
    client = new_client(start_api())
    upload(client, pdf_like())
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM accounts")

    refused, again = upload(client, pdf_like()), upload(client, pdf_like())
    assert (refused.status_code, problem_code(refused)) == (401, "account-not-found")
    assert again.status_code == 202


def test_no_log_line_holds_anything_personal(api: ApiProcess, client: httpx.Client) -> None:
    """The log has only ids: no address, file name, password or cookie (R6.3)."""
    credentials = _credentials()
    job = upload(client, pdf_like(), name="Thandi Nkosi 12345678.pdf").json()
    _sign_up(client, credentials)
    cookie, device = client.cookies["upschedule"], client.cookies["upschedule-device"]
    account = client.get("/api/v1/accounts/current").json()
    answer = client.get(f"/api/v1/jobs/{job['id']}")
    line = api.awaited("request", request_id=answer.headers["x-request-id"])
    log = api.output.read_text()

    assert account["id"] in log
    assert line["job_id"] == job["id"]
    for secret in (credentials["email"], credentials["password"], "Thandi", cookie, device, "127.0.0.1"):
        assert secret not in log
