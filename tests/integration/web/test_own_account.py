"""The operations of owners on their accounts, by the forms of the pages, with real HTTP."""

from pathlib import Path

import httpx
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess, worker_process
from tests.support.servers import Database, wait_until
from tests.support.stored import entries_with, rows_with
from tests.support.web.requests import pdf_like, upload
from upschedule import golden
from upschedule.operations.embedded.seaweedfs import SeaweedFS

_PASSWORD = "correct horse battery"
_emails = (f"keeper{n}@example.org" for n in range(10_000))


def _signed_in(client: httpx.Client) -> dict[str, str]:
    """Signs in with a new account, and returns address and password."""
    credentials = {"email": next(_emails), "password": _PASSWORD}
    assert client.post("/account/sign-up", data=credentials).status_code == 200
    assert client.post("/account/sign-in", data=credentials).status_code == 303
    return credentials


def _signed_in_as(client: httpx.Client) -> str | None:
    answer = client.get("/api/v1/accounts/current")
    return answer.json()["email"] if answer.status_code == 200 else None


def test_deleting_the_account_leaves_nothing_in_any_store(
    *,
    start_api: StartApi,
    new_client: NewClient,
    own_environment: dict[str, str],
    database: Database,
    seaweedfs_server: SeaweedFS,
    tmp_path: Path,
) -> None:
    """The test checks rows of PostgreSQL, entries of both Redis servers, and objects.

    Ids without personal data expire with the limits that they count.
    """
    api = start_api()
    client = new_client(api)
    with worker_process(own_environment, tmp_path / "worker.log"):
        job = upload(client, golden.load().documents[0].document, name="my-own-lectures.pdf").json()
        wait_until(lambda: client.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "completed")
        upload(client, pdf_like())
        calendar = client.post("/api/v1/calendars", json={"jobs": [job["id"]], "academic_year": {"year": 2026}}).json()
        credentials = _signed_in(client)
        account = client.get("/api/v1/accounts/current").json()
        client.post("/calendar/share", data={"shows": "all"})
        reported = f"/entries/{calendar['events'][0]['id']}/report"
        assert client.post(reported, data={"remark": "my own remark", "file": "yes"}).status_code == 303
        feed = httpx.URL(calendar["feed_url"]).path
        assert client.get(feed).status_code == 200
        # The owner, who has forgotten the sign-up, repeats it.
        new_client(api).post("/account/sign-up", data=credentials | {"password": "another long password"})
    personal = [credentials["email"], "my-own-lectures.pdf", "my own remark"]
    ids = [account["id"], job["id"], calendar["id"]]
    for text in (*personal, *ids):
        assert rows_with(database.owner_dsn, text) != [], text
    bucket = own_environment["UPSCHEDULE_OBJECTS_BUCKET"]
    objects = seaweedfs_server.admin_client()
    assert len(list(objects.list_objects(bucket_name=bucket, recursive=True))) == 2
    session = client.cookies["upschedule"]

    refused = client.post("/account/delete", data={"sure": "yes", "password": "not the password"})
    assert (refused.status_code, _signed_in_as(client)) == (401, credentials["email"])
    answer = client.post("/account/delete", data={"sure": "yes", "password": _PASSWORD})

    assert (answer.status_code, "Everything is deleted" in answer.text) == (200, True)
    for text in (*personal, *ids):
        rows = rows_with(database.owner_dsn, text)
        # Two rows stay: the processor time that the account used lately, which a new account must not reset, and the
        # note of the deletion, which a restore to an earlier moment needs.
        assert [row for row in rows if not row.startswith(("visitor_shares: ", "deletions: "))] == [], text
    assert [item.object_name for item in objects.list_objects(bucket_name=bucket, recursive=True)] == []
    for url in (own_environment["UPSCHEDULE_REDIS_STATE_URL"], own_environment["UPSCHEDULE_REDIS_CACHE_URL"]):
        for text in personal:
            assert entries_with(url, text) == []
        for text in ids:
            assert [key for key, seconds in entries_with(url, text) if not 0 < seconds <= 3600] == []
    client.cookies.set("upschedule", session)
    assert _signed_in_as(client) is None
    assert client.get(feed).status_code == 404
    assert client.post("/account/sign-in", data=credentials).status_code == 401


def test_a_visitor_deletes_everything_without_a_password(client: httpx.Client) -> None:
    """The form requires the ticked box."""
    job = upload(client, pdf_like()).headers["location"]
    assert client.post("/account/delete", data={"password": ""}).status_code == 303
    assert client.get(job).status_code == 200
    old_cookie = client.cookies["upschedule"]
    assert "Everything is deleted" in client.post("/account/delete", data={"sure": "yes"}).text

    client.cookies.set("upschedule", old_cookie)
    assert client.get(job).status_code == 404


def test_sessions_are_listed_and_ended(client: httpx.Client, new_client: NewClient, api: ApiProcess) -> None:
    """The owner can end another browser's session or all other sessions, but none of another account."""
    credentials = _signed_in(client)
    phone, tablet, stranger = new_client(api), new_client(api), new_client(api)
    phone.headers["User-Agent"] = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"
    for browser in (phone, tablet):
        browser.post("/account/sign-in", data=credentials)
    other = _signed_in(stranger)
    page = client.get("/account").text
    assert page.count("this browser") == 1
    assert "Firefox on Android" in page
    references = _references(client)
    assert len(references) == 2
    for reference in (*references, "00", "x" * 64):
        stranger.post("/account/sessions/end", data={"session": reference})
    assert (_signed_in_as(phone), _signed_in_as(tablet)) == (credentials["email"], credentials["email"])

    # The most recently used session is first.
    client.post("/account/sessions/end", data={"session": references[0]})
    assert (_signed_in_as(phone), _signed_in_as(tablet)) == (credentials["email"], None)
    client.post("/account/sessions/end", data={"session": "others"})
    assert [_signed_in_as(browser) for browser in (client, phone, stranger)] == [
        credentials["email"], None, other["email"],
    ]  # fmt: skip
    assert phone.get("/account").headers["location"] == "/account/sign-in"


def _references(client: httpx.Client) -> list[str]:
    parts = client.get("/account").text.split('name="session" value="')[1:]
    return [reference for part in parts if (reference := part.partition('"')[0]) != "others"]


def test_a_new_password_ends_all_other_sessions(client: httpx.Client, new_client: NewClient, api: ApiProcess) -> None:
    """A wrong old password, a common one and a wrong confirmation are refused, each at its field."""
    credentials = _signed_in(client)
    elsewhere = new_client(api)
    elsewhere.post("/account/sign-in", data=credentials)
    old_cookie = client.cookies["upschedule"]

    def change(password: str, new: str) -> httpx.Response:
        return client.post("/account/password", data={"password": password, "new_password": new})

    wrong = change("not the password", "a new long password")
    assert (wrong.status_code, "This is not your password." in wrong.text) == (401, True)
    common = change(_PASSWORD, "password123")
    assert (common.status_code, "first that an attacker would guess" in common.text) == (400, True)
    assert _signed_in_as(elsewhere) == credentials["email"]

    assert change(_PASSWORD, "a new long password").status_code == 303
    assert (_signed_in_as(client), _signed_in_as(elsewhere)) == (credentials["email"], None)
    assert client.cookies["upschedule"] != old_cookie
    assert elsewhere.post("/account/sign-in", data=credentials).status_code == 401
    new = credentials | {"password": "a new long password"}
    assert elsewhere.post("/account/sign-in", data=new).status_code == 303


def test_wrong_passwords_on_the_account_page_are_blocked_as_at_the_sign_in(client: httpx.Client) -> None:
    """A stolen session allows no more guesses than signing in does (R8.5)."""
    _signed_in(client)
    answers = [client.post("/account/delete", data={"sure": "yes", "password": f"guess number {n}"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 800


@pytest.mark.parametrize("form", ["sign-up", "sign-in", "sign-out", "sessions/end", "password", "delete"])
def test_no_form_is_accepted_from_another_site(client: httpx.Client, form: str) -> None:
    answer = client.post(f"/account/{form}", data={}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403


def test_signing_up_by_the_form_tells_nothing_about_an_address(
    client: httpx.Client, new_client: NewClient, api: ApiProcess
) -> None:
    """The page is the same for an address with and without an account (decision 15)."""
    taken = _signed_in(client)
    pages = [
        new_client(api).post("/account/sign-up", data={"email": email, "password": "a fresh long password"})
        for email in (taken["email"], next(_emails))
    ]
    texts = [page.text.replace(taken["email"], "").split("<main")[1] for page in pages]
    assert [page.status_code for page in pages] == [200, 200]
    assert texts[0] == texts[1].replace(texts[1].split('value="')[1].partition('"')[0], "", 1)
