"""Blocks that affect attackers and not owners, and sign-ups that reveal no accounts (R8.5, decision 15)."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess
from tests.support.servers import Database
from tests.support.web.requests import pdf_like, problem_code, upload

_PASSWORD = "correct horse battery"
_DEVICE = "upschedule-device"
_emails = (f"owner{n}@example.org" for n in range(10_000))
_FREE = {
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND": "100000",
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND_ADDRESS": "100000",
    "UPSCHEDULE_LIMITS_SIGN_UPS_PER_HOUR_ADDRESS": "100000",
}
At = Callable[[str], httpx.Client]


@pytest.fixture
def at(api: ApiProcess) -> Iterator[At]:
    """A client without cookies at an address: `at("203.0.113.1")`."""
    with ExitStack() as opened:

        def create(address: str) -> httpx.Client:
            headers = {"X-Forwarded-For": address}
            return opened.enter_context(httpx.Client(base_url=api.url, headers=headers, timeout=30))

        yield create


def _credentials() -> dict[str, str]:
    return {"email": next(_emails), "password": _PASSWORD}


def _sign_in(client: httpx.Client, credentials: dict[str, str], password: str = _PASSWORD) -> httpx.Response:
    return client.post("/api/v1/sessions", json=credentials | {"password": password})


def _owner(client: httpx.Client) -> dict[str, str]:
    """Signs the client in to a new account."""
    credentials = _credentials()
    assert client.post("/api/v1/accounts", json=credentials).status_code == 202
    assert _sign_in(client, credentials).status_code == 201
    return credentials


def _statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_blocked_address_is_open_to_browsers_that_signed_in_before(api: ApiProcess, new_client: NewClient) -> None:
    """A campus shares the address. Without the cookie no password is checked, not even the right one."""
    owner, known_nowhere = new_client(api), new_client(api)
    credentials = _owner(owner)
    assert _statuses([_sign_in(known_nowhere, _credentials(), "wrong password") for _ in range(6)]) == [401] * 5 + [429]

    assert _sign_in(new_client(api), credentials).status_code == 429
    assert _sign_in(owner, credentials).status_code == 201
    assert _sign_in(new_client(api), credentials).status_code == 429


def test_a_blocked_account_is_open_to_its_owner_and_stays_closed_to_others(at: At) -> None:
    """The attack comes from many addresses. The owner's success gives the attacker no new attempt."""
    owner = at("203.0.113.1")
    credentials = _owner(owner)
    attack = [_sign_in(at(f"203.0.113.{n}"), credentials, "wrong password") for n in range(2, 8)]
    assert _statuses(attack) == [401] * 5 + [429]

    assert _sign_in(owner, credentials).status_code == 201
    assert _sign_in(at("203.0.113.9"), credentials).status_code == 429
    device = owner.cookies[_DEVICE]
    elsewhere = at("203.0.113.10")
    elsewhere.cookies.set(_DEVICE, device)
    assert _sign_in(elsewhere, credentials).status_code == 201


def test_each_device_has_five_failures_of_its_own(at: At) -> None:
    """A device that reaches the limit is blocked, and another device of the same account is not."""
    laptop, phone = at("203.0.113.20"), at("203.0.113.21")
    credentials = _owner(laptop)
    assert _sign_in(phone, credentials).status_code == 201
    failures = [_sign_in(laptop, credentials, "wrong password") for _ in range(5)]
    blocked = _sign_in(laptop, credentials)

    assert _statuses(failures) == [401] * 5
    assert (blocked.status_code, problem_code(blocked)) == (429, "sign-in-blocked")
    assert 890 <= int(blocked.headers["retry-after"]) <= 900
    assert _statuses([_sign_in(phone, credentials, "wrong password") for _ in range(4)]) == [401] * 4
    assert _sign_in(phone, credentials).status_code == 201


def test_a_device_is_worth_nothing_to_another_account_or_once_it_has_a_new_id(at: At) -> None:
    """The same applies to a device id that a person invented or planted."""
    owner, attacker = at("203.0.113.30"), at("203.0.113.31")
    credentials = _owner(owner)
    _owner(attacker)
    first = owner.cookies[_DEVICE]
    assert _sign_in(owner, credentials).status_code == 201
    assert owner.cookies[_DEVICE] != first
    for n in range(5):
        assert _sign_in(at(f"203.0.113.{40 + n}"), credentials, "wrong password").status_code == 401

    for number, device in enumerate([first, attacker.cookies[_DEVICE], "A" * 43, "x", ""]):
        thief = at(f"203.0.113.{50 + number}")
        thief.cookies.set(_DEVICE, device)
        assert _sign_in(thief, credentials).status_code == 429
    assert _sign_in(owner, credentials).status_code == 201


def test_a_browser_is_known_to_each_account_that_signed_in_with_it(api: ApiProcess, new_client: NewClient) -> None:
    """Two people share a computer."""
    computer = new_client(api)
    people = [_owner(computer)]
    computer.delete("/api/v1/sessions/current")
    people.append(_owner(computer))
    for _ in range(5):
        _sign_in(new_client(api), _credentials(), "wrong password")

    assert _statuses([_sign_in(computer, person) for person in people * 2]) == [201] * 4


def test_the_device_cookie_is_out_of_reach_of_scripts_and_kept_as_a_hash(
    start_api: StartApi, new_client: NewClient, database: Database
) -> None:
    """The cookie stays after signing out."""
    client = new_client(start_api(UPSCHEDULE_WEB_PUBLIC_URL="https://up.example.org"))
    credentials = _credentials()
    client.post("/api/v1/accounts", json=credentials)
    cookies = {
        cookie.partition("=")[0]: cookie for cookie in _sign_in(client, credentials).headers.get_list("set-cookie")
    }
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute("SELECT id_hash FROM devices").fetchall()
    device = cookies["__Host-upschedule-device"]
    out = client.delete("/api/v1/sessions/current").headers.get_list("set-cookie")

    for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", f"Max-Age={400 * 86_400}"):
        assert attribute in device
    assert len(rows) == 1
    assert device.partition("=")[2].partition(";")[0].encode() not in rows[0][0]
    assert not [cookie for cookie in out if "device" in cookie]


def test_people_who_sign_in_at_the_same_time_behind_one_address_do_not_block_each_other(
    start_api: StartApi, new_client: NewClient
) -> None:
    """At the start of a lecture, their attempts are in progress and have not failed."""
    api = start_api(**_FREE)
    people = [(new_client(api), _credentials()) for _ in range(10)]
    with ThreadPoolExecutor(10) as threads:
        for client, credentials in people:
            client.post("/api/v1/accounts", json=credentials)
        answers = list(threads.map(lambda person: _sign_in(*person), people))

    assert _statuses(answers) == [201] * 10


def test_failed_sign_ins_do_not_block_signing_up_which_has_a_limit_of_its_own(
    start_api: StartApi, new_client: NewClient
) -> None:
    client = new_client(start_api(UPSCHEDULE_LIMITS_SIGN_UPS_PER_HOUR_ADDRESS="3"))
    for _ in range(6):
        _sign_in(client, _credentials(), "wrong password")
    answers = [client.post("/api/v1/accounts", json=_credentials()) for _ in range(4)]

    assert _statuses(answers) == [202] * 3 + [429]
    assert problem_code(answers[3]) == "rate-limit"
    assert 3500 < int(answers[3].headers["retry-after"]) <= 3600


def test_a_taken_address_is_answered_as_a_free_one(api: ApiProcess, new_client: NewClient) -> None:
    """Later answers are also the same until a sign-in, which counts like any wrong password.

    The owner is not affected.
    """
    owner, curious = new_client(api), new_client(api)
    taken = _owner(owner)
    upload(curious, pdf_like())

    def answers_to(email: str) -> tuple[object, ...]:
        answer = curious.post("/api/v1/accounts", json={"email": email, "password": "another long password"})
        current = curious.get("/api/v1/accounts/current")
        varying = {"x-request-id", "date"}
        headers = {name: value for name, value in answer.headers.items() if name not in varying}
        return answer.status_code, answer.json(), headers, current.json()

    assert answers_to(taken["email"]) == answers_to(_credentials()["email"])
    assert answers_to(taken["email"])[0] == 202
    assert _sign_in(curious, taken, "another long password").status_code == 401
    assert _sign_in(owner, taken).status_code == 201
    assert owner.get("/api/v1/accounts/current").json()["email"] == taken["email"]


def test_the_first_sign_in_makes_the_account_wherever_it_comes_from(at: At) -> None:
    """The account contains what the visitor who signed up made.

    A client that has only the visitor's cookie gave no password and is signed out.
    """
    phone, laptop = at("203.0.113.60"), at("203.0.113.61")
    job = upload(phone, pdf_like()).headers["location"]
    visitor = phone.get("/api/v1/accounts/current").json()
    credentials = _credentials()
    assert phone.post("/api/v1/accounts", json=credentials).status_code == 202
    assert phone.get("/api/v1/accounts/current").json() == visitor
    assert phone.get(job).status_code == 200
    assert _sign_in(laptop, credentials).json()["id"] == visitor["id"]

    assert laptop.get(job).status_code == 200
    assert phone.get(job).status_code == 404
    assert _sign_in(phone, credentials).status_code == 201
    assert phone.get(job).status_code == 200


def test_the_last_of_two_sign_ups_with_an_address_holds(api: ApiProcess, new_client: NewClient) -> None:
    """A person who mistyped the password signs up again."""
    client, credentials = new_client(api), _credentials()
    job = upload(client, pdf_like()).headers["location"]
    client.post("/api/v1/accounts", json=credentials | {"password": "mistyped password"})
    client.post("/api/v1/accounts", json=credentials)

    assert _sign_in(client, credentials, "mistyped password").status_code == 401
    assert _sign_in(client, credentials).status_code == 201
    assert client.get(job).status_code == 200


def test_two_first_sign_ins_at_the_same_time_make_one_account(api: ApiProcess, new_client: NewClient) -> None:
    credentials = _credentials()
    new_client(api).post("/api/v1/accounts", json=credentials)
    people = [new_client(api) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda person: _sign_in(person, credentials), people))

    assert _statuses(answers) == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_sign_ups_in_number_do_not_stop_a_sign_in(start_api: StartApi, new_client: NewClient) -> None:
    """The queue of sign-ups is full, and that of sign-ins is separate."""
    api = start_api(**_FREE)
    owner = new_client(api)
    credentials = _owner(owner)
    stop = time.monotonic() + 60
    signed_in: list[int] = []

    def sign_up(person: httpx.Client) -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not signed_in and time.monotonic() < stop:
            statuses[person.post("/api/v1/accounts", json=_credentials()).status_code] += 1
        return statuses

    with ThreadPoolExecutor(24) as threads:
        flood = [threads.submit(sign_up, new_client(api)) for _ in range(20)]
        answers = [_sign_in(owner, credentials) for _ in range(5)]
        signed_in.append(1)
        statuses = sum((each.result() for each in flood), Counter[int]())

    assert _statuses(answers) == [201] * 5
    assert statuses[202]
    assert statuses[503]
    assert set(statuses) == {202, 503}
