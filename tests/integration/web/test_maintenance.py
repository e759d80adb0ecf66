"""Maintenance by a setting: changes are refused with the message. The key in Consul has the same effect."""

import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess
from tests.support.web.requests import pdf_like, problem_code, upload

TOLD = "Uploads are closed until 14:00."


@pytest.fixture
def start_closed(start_api: StartApi) -> StartApi:
    def start(**settings: str) -> ApiProcess:
        return start_api(UPSCHEDULE_MAINTENANCE_MESSAGE=TOLD, **settings)

    return start


def test_uploads_and_account_changes_are_refused_with_the_message(
    start_closed: StartApi, new_client: NewClient
) -> None:
    """The answer comes before a byte of the file is read, and no visitor is created."""
    client = new_client(start_closed(UPSCHEDULE_MAINTENANCE_RETRY_AFTER_SECONDS="120"))
    refused = [
        upload(client, pdf_like()),
        client.post("/api/v1/accounts", json={"email": "a@example.org", "password": "a long and quiet night"}),
    ]

    for answer in refused:
        assert (answer.status_code, problem_code(answer)) == (503, "maintenance")
        assert answer.headers["retry-after"] == "120"
        assert answer.json()["detail"] == TOLD
    assert not client.cookies


def test_the_page_tells_what_is_going_on_and_so_does_a_form_sent_without_script(
    start_closed: StartApi, new_client: NewClient
) -> None:
    """Requests that only read still work."""
    client = new_client(start_closed())
    page = client.get("/")
    form = client.post("/documents", files={"file": ("a.pdf", pdf_like())})

    assert page.status_code == 200
    assert TOLD in page.text
    assert (form.status_code, form.headers["retry-after"]) == (503, "300")
    assert TOLD in form.text


def test_signing_in_and_out_goes_on(start_api: StartApi, start_closed: StartApi, new_client: NewClient) -> None:
    """Students can still look at their calendars, which changes no data (R10.3)."""
    account = {"email": "b@example.org", "password": "a long and quiet night"}
    assert new_client(start_api()).post("/api/v1/accounts", json=account).status_code == 202
    client = new_client(start_closed())

    assert client.post("/api/v1/sessions", json=account).status_code == 201
    assert client.get("/api/v1/accounts/current").json()["email"] == account["email"]
    assert client.delete("/api/v1/sessions/current").status_code == 204
