"""Links sent by e-mail that confirm a sign-up or set a new password, with a real mail server."""

import re
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.isolated_servers import IsolatedServers
from tests.support.mailbox import Mailbox, receiving_mail
from tests.support.processes.application import ApiProcess, api_process
from tests.support.servers import Database, wait_until
from tests.support.stored import rows_with
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.operations.embedded.ports import LOOPBACK

_PASSWORD = "correct horse battery"
_NEW = "a new long password"
_emails = (f"reader{n}@example.org" for n in range(10_000))
_LINK = re.compile(r"https?://[^/]+(/account/(?:confirm|reset)/[\w-]+)")


def _settings(mailbox: Mailbox) -> dict[str, str]:
    return {
        "UPSCHEDULE_MAIL_HOST": LOOPBACK,
        "UPSCHEDULE_MAIL_PORT": str(mailbox.port),
        "UPSCHEDULE_MAIL_SECURITY": "none",
        "UPSCHEDULE_MAIL_SENDER": "no-reply@example.org",
        "UPSCHEDULE_MAIL_POLL_SECONDS": "0.2",
        "UPSCHEDULE_MAIL_RETRY_SECONDS_BASE": "0.2",
        "UPSCHEDULE_MAIL_STEP_SECONDS": "5",
    }


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with receiving_mail(None) as running:
        yield running


@pytest.fixture(scope="module")
def mail_api(
    isolated_servers: IsolatedServers, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiProcess]:
    """An instance that sends mail."""
    environment = isolated_servers.start("mail") | _settings(mailbox)
    with api_process(environment, tmp_path_factory.mktemp("mail") / "api.log") as running:
        yield running


@pytest.fixture
def reader(mail_api: ApiProcess, new_client: NewClient) -> httpx.Client:
    return new_client(mail_api)


def _awaited(mailbox: Mailbox, email: str, number: int = 1) -> str:
    """Waits for the message of this number to the address, and returns its text."""
    wait_until(lambda: len(mailbox.texts(email)) >= number)
    return mailbox.texts(email)[number - 1]


def _link(text: str) -> str:
    found = _LINK.search(text)
    assert found, text
    return found[1]


def _signed_up(client: httpx.Client, mailbox: Mailbox) -> dict[str, str]:
    """Creates a confirmed account and signs in."""
    credentials = {"email": next(_emails), "password": _PASSWORD}
    assert client.post("/account/sign-up", data=credentials).status_code == 200
    link = _link(_awaited(mailbox, credentials["email"]))
    assert client.post(link, data={"password": _PASSWORD}).headers["location"] == "/"
    return credentials


def _signed_in_as(client: httpx.Client) -> str | None:
    answer = client.get("/api/v1/accounts/current")
    return answer.json()["email"] if answer.status_code == 200 else None


def test_the_link_and_the_password_make_the_account(reader: httpx.Client, mailbox: Mailbox) -> None:
    """Neither is enough alone. The account contains what the visitor made, and the link works once."""
    job = upload(reader, pdf_like()).headers["location"]
    credentials = {"email": next(_emails), "password": _PASSWORD}
    page = reader.post("/account/sign-up", data=credentials)
    assert "Look into your mailbox" in page.text
    link = _link(_awaited(mailbox, credentials["email"]))
    assert reader.post("/account/sign-in", data=credentials).status_code == 401
    # A program that scans the mail follows the link.
    assert [reader.get(link).status_code for _ in range(2)] == [200, 200]
    assert reader.get(link).headers["referrer-policy"] == "same-origin"
    assert reader.post(link, data={"password": "not the password"}).status_code == 401
    assert _signed_in_as(reader) is None

    assert reader.post(link, data={"password": _PASSWORD}).status_code == 303
    assert _signed_in_as(reader) == credentials["email"]
    assert reader.get(job).status_code == 200
    assert [reader.get(link).status_code, reader.post(link, data={"password": _PASSWORD}).status_code] == [410, 410]


def test_the_api_signs_up_by_the_same_link(reader: httpx.Client, mailbox: Mailbox) -> None:
    credentials = {"email": next(_emails), "password": _PASSWORD}
    answer = reader.post("/api/v1/accounts", json=credentials)
    assert (answer.status_code, "Open the link" in answer.json()["detail"]) == (202, True)
    assert reader.post("/api/v1/sessions", json=credentials).status_code == 401
    reader.post(_link(_awaited(mailbox, credentials["email"])), data={"password": _PASSWORD})
    assert reader.post("/api/v1/sessions", json=credentials).status_code == 201


def test_an_existing_account_is_revealed_by_mail_only(
    reader: httpx.Client, mail_api: ApiProcess, new_client: NewClient, mailbox: Mailbox
) -> None:
    """The page is the same as for a free address, and the message contains no link that creates anything."""
    taken, free, curious = _signed_up(reader, mailbox)["email"], next(_emails), new_client(mail_api)
    pages = [
        curious.post("/account/sign-up", data={"email": email, "password": _NEW}).text.replace(email, "")
        for email in (taken, free)
    ]
    assert pages[0] == pages[1]
    text = _awaited(mailbox, taken, 2)
    assert "There is an account with it already" in text
    assert _LINK.search(text) is None
    assert curious.post("/account/sign-in", data={"email": taken, "password": _NEW}).status_code == 401


def test_only_the_latest_of_two_sign_ups_can_be_confirmed(
    reader: httpx.Client, mail_api: ApiProcess, new_client: NewClient, mailbox: Mailbox
) -> None:
    """If another person enters the address, its owner cannot confirm that person's account by mistake."""
    email, stranger = next(_emails), new_client(mail_api)
    reader.post("/account/sign-up", data={"email": email, "password": _PASSWORD})
    first = _link(_awaited(mailbox, email))
    stranger.post("/account/sign-up", data={"email": email, "password": _NEW})
    second = _link(_awaited(mailbox, email, 2))
    assert reader.get(first).status_code == 410
    assert reader.post(second, data={"password": _PASSWORD}).status_code == 401


def test_a_forgotten_password_is_replaced_by_a_link(
    reader: httpx.Client, mail_api: ApiProcess, new_client: NewClient, mailbox: Mailbox
) -> None:
    """The link works once, and all sessions end. Passwords that the sign-up refuses are refused here as well."""
    credentials = _signed_up(reader, mailbox)
    forgetful = new_client(mail_api)
    assert forgetful.post("/account/forgot", data={"email": credentials["email"].upper()}).status_code == 200
    link = _link(_awaited(mailbox, credentials["email"], 2))
    assert [forgetful.get(link).status_code for _ in range(2)] == [200, 200]
    refused = forgetful.post(link, data={"password": "password123"})
    assert (refused.status_code, "first that an attacker would guess" in refused.text) == (400, True)
    assert _signed_in_as(reader) == credentials["email"]

    assert forgetful.post(link, data={"password": _NEW}).headers["location"] == "/account/sign-in?done=password"
    assert _signed_in_as(reader) is None
    assert forgetful.post(link, data={"password": "yet another password"}).status_code == 410
    assert forgetful.post("/account/sign-in", data=credentials).status_code == 401
    assert forgetful.post("/account/sign-in", data=credentials | {"password": _NEW}).status_code == 303


def test_a_forgotten_password_tells_nothing_about_an_address(
    reader: httpx.Client, mail_api: ApiProcess, new_client: NewClient, mailbox: Mailbox
) -> None:
    """The page is the same, and an address without an account gets no message."""
    known, unknown, curious = _signed_up(reader, mailbox)["email"], next(_emails), new_client(mail_api)
    pages = [
        curious.post("/account/forgot", data={"email": email}).text.replace(email, "") for email in (unknown, known)
    ]
    assert pages[0] == pages[1]
    # This message was queued later and has been sent, so no message to the other address is still waiting.
    _awaited(mailbox, known, 2)
    assert mailbox.texts(unknown) == []


def test_no_mailbox_is_filled(reader: httpx.Client, mailbox: Mailbox) -> None:
    """The limit is five messages an hour of all kinds, and the page says so."""
    email = next(_emails)
    sent = [reader.post("/account/sign-up", data={"email": email, "password": _PASSWORD}) for _ in range(5)]
    refused = reader.post("/account/forgot", data={"email": email})
    assert [answer.status_code for answer in (*sent, refused)] == [200] * 5 + [429]
    assert int(refused.headers["retry-after"]) > 3000
    _awaited(mailbox, email, 5)
    assert problem_code(reader.post("/api/v1/accounts", json={"email": email, "password": _PASSWORD})) == "rate-limit"


@pytest.mark.parametrize("address", ["/account/confirm/", "/account/reset/"])
def test_a_made_up_link_says_that_it_is_no_longer_valid(reader: httpx.Client, address: str) -> None:
    answer = reader.get(f"{address}{'A' * 32}", headers={"Accept": "text/html"})
    assert (answer.status_code, "no longer valid" in answer.text) == (410, True)


def test_messages_wait_for_a_mail_server_that_is_away(
    start_api: StartApi, new_client: NewClient, database: Database
) -> None:
    """No message is lost, no request waits for the mail server, and the database does not contain the link."""
    mailbox, email = Mailbox(), next(_emails)
    api = start_api(**_settings(mailbox))
    client = new_client(api)
    client.post("/account/sign-up", data={"email": email, "password": _PASSWORD})
    _wait_for(database, "SELECT attempts >= 2 FROM mails")
    with receiving_mail(None, mailbox):
        link = _link(_awaited(mailbox, email))
        wait_until(lambda: rows_with(database.owner_dsn, f"sign-up,{email}") == [])
        assert rows_with(database.owner_dsn, link.rpartition("/")[2]) == []
        mailbox.unknown.add("gone@example.org")
        client.post("/account/sign-up", data={"email": "gone@example.org", "password": _PASSWORD})
        assert api.awaited("mail_refused")["code"] == 550
        _wait_for(database, "SELECT count(*) = 0 FROM mails")
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE sign_ups SET created_at = created_at - interval '24 hours'")
    assert client.get(link).status_code == 410
    assert [line for line in api.output.read_text().splitlines() if email in line or "gone@" in line] == []


def _wait_for(database: Database, condition: str) -> None:
    def holds() -> bool:
        with psycopg.connect(database.owner_dsn) as connection:
            row = connection.execute(condition).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue] - the caller's text
        return row is not None and bool(row[0])

    wait_until(holds)


def test_without_a_mail_server_there_is_no_page_for_forgotten_passwords(client: httpx.Client) -> None:
    assert client.get("/account/forgot").status_code == 404
    assert "/account/forgot" not in client.get("/account/sign-in").text
